/* Implements yaml_scan.h. */
#include "inagent/config/yaml_scan.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"

#define KEY_MAX 1024 /* YAML's own limit for a key in front of its colon */

bool yaml_line_ends(const struct document *d, size_t at)
{
    return d->text[at] == '\0' || d->text[at] == '\n' || d->text[at] == '\r';
}

static bool is_space(const struct document *d, size_t at)
{
    return d->text[at] == ' ' || d->text[at] == '\t' || yaml_line_ends(d, at);
}

int yaml_end_line(struct document *d)
{
    size_t space = strspn(d->text + d->at, " ");
    d->at += space;
    if (d->text[d->at] == '#' && (space > 0 || d->text[d->at - 1] == ' '))
        d->at = document_line_end(d, d->at);
    if (!yaml_line_ends(d, d->at))
        return document_refuse(
            d, d->at, d->text[d->at] == '\t' ? "a tab between values" : "the end of the line is expected");
    d->at = document_line_next(d, d->at);
    return 0;
}

static bool is_marker(const struct document *d, size_t at)
{
    return (after_prefix(d->text + at, "---") || after_prefix(d->text + at, "...")) && is_space(d, at + 3);
}

int yaml_next_line(struct document *d, ssize_t *ret_indent)
{
    for (; d->at < d->size; d->at = document_line_next(d, d->at)) {
        size_t n = strspn(d->text + d->at, " "), content = d->at + n;
        if (d->text[content] == '#' || yaml_line_ends(d, content))
            continue;
        if (d->text[content] == '\t')
            return document_refuse(d, content, "a tab in the indentation");
        if (n == 0 && is_marker(d, d->at))
            return document_refuse(d, d->at, "several documents in one text are not supported");
        *ret_indent = (ssize_t)n;
        return 0;
    }
    *ret_indent = -1;
    return 0;
}

/* --- scalars --- */

/* Moves to the next line inside of a value. */
static int continue_line(struct document *d, size_t begin, ssize_t parent)
{
    d->at = document_line_next(d, d->at);
    size_t n = strspn(d->text + d->at, " ");
    bool empty = yaml_line_ends(d, d->at + strspn(d->text + d->at, " \t"));
    if (is_marker(d, d->at + n) || (!empty && (ssize_t)n <= parent))
        return document_refuse(d, begin, "a text that is not ended by its quote");
    if (!empty && d->text[d->at + n] == '\t')
        return document_refuse(d, d->at + n, "a tab in the indentation");
    return 0;
}

/* Reads an escape sequence behind a backslash that does not end the line. */
static int read_escape(struct document *d, char **to)
{
    static const char letters[] = "0abt\tnvfre \"/\\N_LP",
                      meanings[] = "\0\a\b\t\t\n\v\f\r\x1b \"/\\\x85\xa0\0";
    char c = d->text[d->at++];
    size_t n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    const char *letter = c ? strchr(letters, c) : NULL;
    int64_t code = -1;
    if (letter)
        code = c == 'L' ? 0x2028 : c == 'P' ? 0x2029 : (unsigned char)meanings[letter - letters];
    else if (n > 0)
        code = document_hex(d->text + d->at, n);
    if (code < 0 || code > 0x10ffff)
        return document_refuse(d, d->at - 2, "an unknown escape sequence");
    d->at += n;
    *to += document_put_character(*to, (uint32_t)code);
    return 0;
}

/* Reads a quoted text. With 'ret' it is in one line and is decoded; with NULL it can have several lines. */
static int read_quoted(struct document *d, ssize_t parent, char *ret, size_t *ret_size)
{
    size_t begin = d->at++;
    char quote = d->text[begin], *to = ret, ignored[4];
    for (;;) {
        char c = d->text[d->at];
        bool escape = c == '\\' && quote == '"';
        if (c == quote && (quote == '"' || d->text[d->at + 1] != quote))
            break;
        int r = 0;
        to = ret ? to : ignored;
        if (yaml_line_ends(d, d->at) || (escape && yaml_line_ends(d, d->at + 1))) {
            if (!c || ret)
                return document_refuse(d, begin, "a text that is not ended by its quote");
            r = continue_line(d, begin, parent);
        } else if (escape) {
            d->at++;
            r = read_escape(d, &to);
        } else {
            *to++ = c;
            d->at += c == quote ? 2 : 1;
        }
        if (r < 0)
            return r;
    }
    d->at++;
    if (ret)
        *ret_size = (size_t)(to - ret);
    return 0;
}

/* Refuses what cannot begin a plain scalar, by its name if it has one. */
static int check_plain(const struct document *d, size_t at, bool flow)
{
    char c = d->text[at];
    if (is_marker(d, at))
        return document_refuse(d, at, "this would be the end of the document in the first column");
    if (c == '&' || c == '*')
        return document_refuse(d, at, "anchors and aliases are not supported");
    if (c == '!')
        return document_refuse(d, at, "tags are not supported");
    if (c == '|' || c == '>')
        return document_refuse(d, at, "a text block must begin in the line of its key");
    bool follows = c && !is_space(d, at + 1) && !(flow && strchr(",[]{}", d->text[at + 1]));
    if ((c && strchr(",[]{}#%@`\"'\t", c)) || (c == '-' && !follows) ||
        ((c == '?' || c == ':') && (flow || !follows)))
        return document_refuse(d, at, "a value cannot begin with this character");
    return 0;
}

/* Returns the end of a plain scalar in its line, without white space at its end. */
static size_t plain_end(const struct document *d, size_t at, bool flow)
{
    size_t end = at;
    for (; !yaml_line_ends(d, at) && d->text[at] != '\t'; at++) {
        char c = d->text[at];
        if ((c == ':' && (is_space(d, at + 1) || (flow && strchr(",[]{}", d->text[at + 1])))) ||
            (c == '#' && at > 0 && d->text[at - 1] == ' ') || (flow && strchr(",[]{}?", c)))
            break;
        if (c != ' ')
            end = at + 1;
    }
    return end;
}

/* Reads a plain scalar outside of flow style, with the lines that it continues in. */
static int read_plain(struct document *d, ssize_t parent)
{
    int r = check_plain(d, d->at, false);
    while (r == 0) {
        d->at = plain_end(d, d->at, false);
        size_t rest = d->at + strspn(d->text + d->at, " ");
        if (d->text[rest] == ':')
            return document_refuse(d, rest, "a second colon in one line");
        if (d->text[rest] == '\t')
            return document_refuse(d, rest, "a tab outside of quotes");
        if (!yaml_line_ends(d, rest))
            return 0;
        size_t line = document_line_next(d, rest), n;
        for (;; line = document_line_next(d, line)) {
            n = strspn(d->text + line, " ");
            if (line >= d->size || !yaml_line_ends(d, line + n))
                break;
        }
        if (line >= d->size || (ssize_t)n <= parent || d->text[line + n] == '#')
            return 0;
        d->at = line + n;
        if (is_marker(d, d->at) || d->text[d->at] == '\t')
            return document_refuse(d, d->at, "this cannot continue a value");
    }
    return r;
}

int yaml_scan_key(struct document *d, struct node *ret)
{
    size_t begin = d->at, size, line = document_line_end(d, begin);
    char c = d->text[begin];
    _cleanup_free_ char *key = xcalloc(2, line - begin + 8); /* \\L has three bytes */
    struct error *e = d->e;
    if (c == '"' || c == '\'') {
        d->e = NULL; /* a text in quotes that is no key is read again, as a value */
        int r = read_quoted(d, -1, key, &size);
        d->e = e;
        size_t end = d->at;
        d->at = begin;
        if (r < 0)
            return 0;
        ret->key_end = end;
    } else {
        if (c && strchr("[{", c))
            return 0;
        ret->key_end = plain_end(d, begin, false);
        size = ret->key_end - begin;
        memcpy(key, d->text + begin, size);
    }
    ret->colon = ret->key_end + strspn(d->text + ret->key_end, " ");
    if (d->text[ret->colon] != ':' || !is_space(d, ret->colon + 1))
        return 0;
    ret->colon++;
    ret->plain = c != '"' && c != '\'';
    ret->key_begin = begin;
    int r = ret->plain ? check_plain(d, begin, false) : 0;
    if (r < 0)
        return r;
    if (ret->plain && size == 2 && memcmp(key, "<<", 2) == 0)
        return document_refuse(d, begin, "merge keys are not supported");
    if (size > KEY_MAX)
        return document_refuse(d, begin, "a key of more than %d bytes", KEY_MAX);
    ret->key = TAKE_PTR(key);
    ret->key_size = size;
    d->at = ret->colon;
    return 1;
}

/* --- flow style --- */

static int skip_flow_space(struct document *d)
{
    for (;;) {
        d->at += strspn(d->text + d->at, " ");
        if (d->text[d->at] == '#' && strchr(" \n", d->text[d->at - 1]))
            d->at = document_line_end(d, d->at);
        if (!d->text[d->at] || !yaml_line_ends(d, d->at))
            return 0;
        d->at = document_line_next(d, d->at);
        if (is_marker(d, d->at))
            return document_refuse(d, d->at, "a list or mapping that is not ended by its bracket");
    }
}

/* Reads a scalar in flow style. */
static int read_flow_scalar(struct document *d)
{
    char c = d->text[d->at];
    if (c == '"' || c == '\'')
        return read_quoted(d, -1, NULL, NULL);
    int r = check_plain(d, d->at, true);
    size_t begin = d->at;
    if (r == 0)
        d->at = plain_end(d, begin, true);
    return r < 0 || d->at > begin ? r : document_refuse(d, begin, "a value is expected");
}

static int read_flow(struct document *d, struct node *node, unsigned depth);

static int read_flow_value(struct document *d, struct node *node, unsigned depth)
{
    return d->text[d->at] == '[' || d->text[d->at] == '{' ? read_flow(d, node, depth) : read_flow_scalar(d);
}

/* Reads a member of a flow mapping. */
static int read_flow_pair(struct document *d, struct node *node, unsigned depth)
{
    size_t begin = d->at;
    if (strchr("[{", d->text[begin]))
        return document_refuse(d, begin, "keys that are no scalars are not supported");
    int r = read_flow_scalar(d);
    if (r < 0)
        return r;
    size_t size = d->at - begin;
    char *key = xstrndup(d->text + begin, size);
    bool twice = document_find(d, node, key, size);
    struct node *member = document_add(d, node, key, size);
    if (twice)
        return document_refuse(d, begin, "this key is given twice");
    if ((r = skip_flow_space(d)) < 0)
        return r;
    if (d->text[d->at] != ':')
        return 0;
    d->at++;
    bool quoted = d->text[begin] == '"' || d->text[begin] == '\'';
    if (!quoted && !is_space(d, d->at) && !strchr(",[]{}", d->text[d->at]))
        return document_refuse(d, d->at, "a space is expected after the colon");
    if ((r = skip_flow_space(d)) < 0)
        return r;
    return strchr(",}", d->text[d->at]) ? 0 : read_flow_value(d, member, depth);
}

/* Reads a list or mapping in brackets, which begins at 'at'. */
static int read_flow(struct document *d, struct node *node, unsigned depth)
{
    size_t begin = d->at++;
    char end = d->text[begin] == '[' ? ']' : '}';
    if (depth == 0)
        return document_refuse(d, begin, "more than %u nested values", DOCUMENT_DEPTH_MAX);
    node->kind = end == '}' ? NODE_TABLE : NODE_VALUE;
    node->form = TABLE_INLINE;
    for (;;) {
        int r = skip_flow_space(d);
        if (r < 0)
            return r;
        if (d->text[d->at] == end) {
            d->at++;
            return 0;
        }
        r = end == '}' ? read_flow_pair(d, node, depth - 1)
                       : read_flow_value(d, document_add(d, NULL, NULL, 0), depth - 1);
        if (r < 0 || (r = skip_flow_space(d)) < 0)
            return r;
        if (d->text[d->at] == ',')
            d->at++;
        else if (d->text[d->at] != end)
            return document_refuse(d, d->at, "a comma or '%c' is expected", end);
    }
}

int yaml_scan_inline(struct document *d, struct node *node, ssize_t parent, unsigned depth)
{
    char c = d->text[d->at];
    node->begin = d->at;
    int r = c == '"' || c == '\''  ? read_quoted(d, parent, NULL, NULL)
            : c == '[' || c == '{' ? read_flow(d, node, depth)
                                   : read_plain(d, parent);
    node->end = d->at;
    return r;
}

/* --- text blocks --- */

/* Reads the signs behind "|" or ">": a number of spaces in *ret_extra, and how the end is treated in
 * *ret_chomp. */
static int read_block_header(struct document *d, ssize_t *ret_extra, char *ret_chomp)
{
    for (d->at++; d->text[d->at] && strchr("+-123456789", d->text[d->at]); d->at++) {
        char c = d->text[d->at];
        bool digit = c != '+' && c != '-';
        if (digit ? *ret_extra > 0 : *ret_chomp != '\0')
            return document_refuse(d, d->at, "a second sign of the same kind");
        if (digit)
            *ret_extra = c - '0';
        else
            *ret_chomp = c;
    }
    return 0;
}

int yaml_scan_block(struct document *d, struct node *node, ssize_t parent)
{
    ssize_t extra = 0, lead = 0, indent;
    char chomp = '\0';
    node->begin = d->at;
    int r = read_block_header(d, &extra, &chomp);
    if (r < 0)
        return r;
    node->end = d->at;
    r = yaml_end_line(d);
    if (r < 0)
        return r;
    node->below = node->below_end = d->at;
    indent = extra > 0 ? parent + extra : 0; /* 0: that of the first line with text */
    for (; d->at < d->size; d->at = document_line_next(d, d->at)) {
        ssize_t n = (ssize_t)strspn(d->text + d->at, " ");
        bool empty = yaml_line_ends(d, d->at + (size_t)n);
        if (empty && (indent == 0 || n <= indent)) {
            lead = indent == 0 && n > lead ? n : lead;
            if (chomp == '+')
                node->below_end = document_line_next(d, d->at);
            continue;
        }
        if (indent == 0 && n > parent && n < lead)
            return document_refuse(d, d->at,
                                   "an empty line of a text block has more spaces than its first line");
        if (indent == 0)
            indent = n > parent ? n : parent + 1;
        if (n < indent)
            break;
        node->below_end = document_line_next(d, d->at);
    }
    d->at = d->block_end = node->below_end;
    if (d->at == d->size && d->size > node->end && d->text[d->size - 1] != '\n' && chomp != '-')
        d->open_end = node->begin;
    return 0;
}
