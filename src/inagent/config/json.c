/* Implements json.h. */
#include "inagent/config/json.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"

/* --- reading --- */

static void skip_space(struct document *d)
{
    d->at += strspn(d->text + d->at, " \t\r\n");
}

/* Appends the character of an escape sequence to *to; 'at' is behind the backslash. */
static int read_escape(struct document *d, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char c = d->text[d->at++];
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        *(*to)++ = meanings[letter - letters];
        return 0;
    }
    if (c != 'u' || !document_read_unicode(d, to))
        return document_refuse(d, d->at - 2, "an unknown escape sequence");
    return 0;
}

/* Reads a string, whose quote is at 'at'. The caller frees *ret. */
static int read_string(struct document *d, char **ret, size_t *ret_size)
{
    size_t begin = d->at++, length = d->at;
    while (d->text[length] && d->text[length] != '"')
        length += d->text[length] == '\\' && d->text[length + 1] ? 2 : 1;
    _cleanup_free_ char *string = xcalloc(1, length - begin + 4);
    char *to = string;
    while (d->text[d->at] != '"') {
        if ((unsigned char)d->text[d->at] < ' ')
            return document_refuse(d, begin, "a string that is not ended in its line");
        if (d->text[d->at] != '\\') {
            *to++ = d->text[d->at++];
            continue;
        }
        d->at++;
        int r = read_escape(d, &to);
        if (r < 0)
            return r;
    }
    d->at++;
    *ret_size = (size_t)(to - string);
    *ret = TAKE_PTR(string);
    return 0;
}

/* Returns the length of the number at 's', or 0 if it is none. */
static size_t number_length(const char *s)
{
    static const char digits[] = "0123456789";
    const char *begin = s;
    if (*s == '-')
        s++;
    size_t n = strspn(s, digits);
    if (n == 0 || (*s == '0' && n > 1))
        return 0;
    s += n;
    if (*s == '.') {
        n = strspn(++s, digits);
        s += n;
        if (n == 0)
            return 0;
    }
    if (*s == 'e' || *s == 'E') {
        s += s[1] == '+' || s[1] == '-' ? 2 : 1;
        n = strspn(s, digits);
        s += n;
        if (n == 0)
            return 0;
    }
    return (size_t)(s - begin);
}

static int read_plain(struct document *d)
{
    const char *s = d->text + d->at;
    size_t n = after_prefix(s, "true") || after_prefix(s, "null") ? 4
               : after_prefix(s, "false")                         ? 5
                                                                  : number_length(s);
    if (n == 0 || (s[n] && !strchr(" \t\r\n,]}", s[n])))
        return document_refuse(d, d->at, *s ? "this is not a JSON value" : "the text ends too early");
    d->at += n;
    return 0;
}

static int read_value(struct document *d, struct node *node, unsigned depth);

static int read_member(struct document *d, struct node *object, unsigned depth)
{
    size_t begin = d->at, size;
    char *key;
    if (d->text[d->at] != '"')
        return document_refuse(d, d->at, "a key in quotes is expected");
    int r = read_string(d, &key, &size);
    if (r < 0)
        return r;
    bool twice = document_find(d, object, key, size);
    struct node *member = document_add(d, object, key, size);
    if (twice)
        return document_refuse(d, begin, "this key is given twice");
    member->key_begin = begin;
    member->key_end = d->at;
    skip_space(d);
    if (d->text[d->at] != ':')
        return document_refuse(d, d->at, "a colon is expected");
    d->at++;
    return read_value(d, member, depth);
}

/* Reads the rest of an object or array, whose bracket is at 'at'. */
static int read_items(struct document *d, struct node *node, char end, unsigned depth)
{
    size_t begin = d->at++;
    if (depth == 0)
        return document_refuse(d, begin, "more than %u nested values", DOCUMENT_DEPTH_MAX);
    skip_space(d);
    if (d->text[d->at] == end) {
        d->at++;
        return 0;
    }
    for (;;) {
        skip_space(d);
        struct node element = {0};
        int r = end == '}' ? read_member(d, node, depth - 1) : read_value(d, &element, depth - 1);
        if (r < 0)
            return r;
        skip_space(d);
        char c = d->text[d->at];
        if (c != ',' && c != end)
            return document_refuse(d, d->at, "a comma or '%c' is expected", end);
        d->at++;
        if (c == end)
            return 0;
    }
}

/* Reads a value into 'node'. The objects in an array are read for their errors alone. */
static int read_value(struct document *d, struct node *node, unsigned depth)
{
    skip_space(d);
    node->begin = d->at;
    node->kind = d->text[d->at] == '{' ? NODE_TABLE : NODE_VALUE;
    int r;
    if (d->text[d->at] == '"') {
        _cleanup_free_ char *string = NULL;
        size_t size;
        r = read_string(d, &string, &size);
    } else if (d->text[d->at] == '{') {
        /* An element of an array belongs to no tree, but its keys must be different. */
        struct node *object = node->key || node == d->root ? node : document_add(d, NULL, NULL, 0);
        r = read_items(d, object, '}', depth);
    } else if (d->text[d->at] == '[') {
        r = read_items(d, node, ']', depth);
    } else {
        r = read_plain(d);
    }
    node->end = d->at;
    return r;
}

int json_read(struct document *d)
{
    int r = read_value(d, d->root, DOCUMENT_DEPTH_MAX);
    if (r < 0)
        return r;
    if (d->root->kind != NODE_TABLE)
        return document_refuse(d, d->root->begin, "the text is not an object");
    skip_space(d);
    return d->at == d->size ? 0 : document_refuse(d, d->at, "the text continues after its end");
}

/* --- merging --- */

/* Returns the white space before the key in its line, or 0 if something else precedes the key, and where it
 * begins. */
static size_t indentation(const struct document *d, size_t key, size_t *ret_line)
{
    *ret_line = key;
    while (*ret_line > d->start && strchr(" \t", d->text[*ret_line - 1]))
        --*ret_line;
    return document_first_in_line(d, key) ? key - *ret_line : 0;
}

/* Returns a part of the value's text for the line of the key at 'at'. If that key is the first in its line,
 * the further lines keep their indentation relative to it; otherwise they are joined. The caller frees the
 * text. */
static char *fit(const struct document *d, size_t at, bool first, const struct document *value,
                 size_t value_key, size_t begin, size_t end)
{
    size_t line, from, n_strip = indentation(value, value_key, &from), n_add = indentation(d, at, &line);
    char *ret = NULL;
    size_t size;
    FILE *out = open_memstream(&ret, &size);
    if (!out)
        abort();
    for (size_t i = begin; i < end;) {
        if (value->text[i] != '\n' && value->text[i] != '\r') {
            fputc(value->text[i++], out);
            continue;
        }
        i += value->text[i] == '\r' ? 2 : 1;
        size_t space = strspn(value->text + i, " \t");
        if (first) {
            fputs(d->newline, out);
            fwrite(d->text + line, 1, n_add, out);
            size_t strip = space < n_strip ? space : n_strip;
            fwrite(value->text + i + strip, 1, space - strip, out);
        } else {
            fputc(' ', out);
        }
        i += space;
    }
    if (fclose(out) != 0)
        abort();
    return ret;
}

/* Inserts a member of the value after the last one of an object that is not empty. */
static void insert(struct document *d, const struct node *last, const struct document *value,
                   const struct node *member)
{
    bool first = document_first_in_line(d, last->key_begin);
    _cleanup_free_ char *text =
        fit(d, last->key_begin, first, value, member->key_begin, member->key_begin, member->end);
    if (first) {
        size_t line, n = indentation(d, last->key_begin, &line);
        document_replace(d, last->end, last->end,
                         xasprintf(",%s%.*s%s", d->newline, (int)n, d->text + line, text));
    } else {
        document_replace(d, last->end, last->end, xasprintf(", %s", text));
    }
}

static void merge_objects(struct document *d, const struct node *old, const struct document *value,
                          const struct node *new)
{
    for (const struct node *member = new->first; member; member = member->next) {
        const struct node *mine = document_find(d, old, member->key, member->key_size);
        if (!mine) {
            insert(d, old->last, value, member);
        } else if (mine->kind == NODE_TABLE && member->kind == NODE_TABLE &&
                   (mine->first || !member->first)) {
            merge_objects(d, mine, value, member);
        } else if (!document_same(d, mine->begin, mine->end, value, member->begin, member->end)) {
            bool first = document_first_in_line(d, mine->key_begin);
            document_replace(
                d, mine->begin, mine->end,
                fit(d, mine->key_begin, first, value, member->key_begin, member->begin, member->end));
        }
    }
}

int json_merge(struct document *d, const struct document *value)
{
    if (!d->root->first && value->root->first)
        document_replace(d, d->root->begin, d->root->end,
                         xstrndup(value->text + value->root->begin, value->root->end - value->root->begin));
    else
        merge_objects(d, d->root, value, value->root);
    return 0;
}
