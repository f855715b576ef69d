/* Implements yaml_read.h. */
#include "inagent/config/yaml_read.h"

#include <stdlib.h>

#include "inagent/config/yaml_scan.h"
#include "lib/basic/cleanup.h"

static int read_content(struct document *d, struct node *node, ssize_t column, ssize_t parent,
                        unsigned depth);

static bool is_dash(const struct document *d, size_t at)
{
    return d->text[at] == '-' && (d->text[at + 1] == ' ' || yaml_line_ends(d, at + 1));
}

/* Reads what is below the line of a key or dash: a value with more than 'parent' spaces, a sequence also with
 * as many ('same'), or nothing. */
static int read_below(struct document *d, struct node *node, ssize_t parent, bool same, unsigned depth)
{
    ssize_t indent;
    int r = yaml_end_line(d);
    node->below = node->below_end = d->at;
    if (r < 0 || (r = yaml_next_line(d, &indent)) < 0)
        return r;
    if (indent > parent || (same && indent == parent && is_dash(d, d->at + (size_t)indent))) {
        d->at += (size_t)indent;
        r = read_content(d, node, indent, parent, depth);
        node->below_end = d->at;
        node->begin = node->end = node->colon;
    } else {
        d->at = node->below_end;
    }
    return r;
}

/* Reads what follows a key or dash in its line, and below. */
static int read_value(struct document *d, struct node *node, ssize_t column, bool key, unsigned depth)
{
    size_t space = strspn(d->text + d->at, " "), at = d->at + space;
    node->begin = node->end = d->at;
    if (yaml_line_ends(d, at) || (d->text[at] == '#' && space > 0))
        return read_below(d, node, column, key, depth);
    d->at = at;
    if (d->text[at] == '|' || d->text[at] == '>')
        return yaml_scan_block(d, node, column);
    if (!key)
        return read_content(d, node, column + 1 + (ssize_t)space, column, depth);
    int r = yaml_scan_inline(d, node, column, depth);
    if (r < 0 || (r = yaml_end_line(d)) < 0)
        return r;
    node->below = node->below_end = d->at;
    return 0;
}

static int read_sequence(struct document *d, ssize_t column, unsigned depth)
{
    for (;;) {
        d->at++;
        /* An element belongs to no tree. */
        int r = read_value(d, document_add(d, NULL, NULL, 0), column, false, depth);
        size_t end = d->at;
        ssize_t indent;
        if (r < 0 || (r = yaml_next_line(d, &indent)) < 0)
            return r;
        if (indent > column)
            return document_refuse(d, d->at + (size_t)indent, "this line is indented too far");
        if (indent < column || !is_dash(d, d->at + (size_t)indent)) {
            d->at = end;
            return 0;
        }
        d->at += (size_t)indent;
    }
}

/* Reads a mapping, whose first key is at 'at'. */
static int read_mapping(struct document *d, struct node *node, ssize_t column, unsigned depth)
{
    node->kind = NODE_TABLE;
    node->indent = (size_t)column;
    for (;;) {
        struct node key = {0};
        int r = yaml_scan_key(d, &key);
        if (r <= 0)
            return r < 0 ? r : document_refuse(d, d->at, "a key with a colon is expected");
        bool twice = document_find(d, node, key.key, key.key_size);
        struct node *member = document_add(d, node, key.key, key.key_size);
        if (twice)
            return document_refuse(d, key.key_begin, "this key is given twice");
        member->key_begin = key.key_begin;
        member->key_end = key.key_end;
        member->colon = key.colon;
        member->plain = key.plain;
        r = read_value(d, member, column, true, depth);
        size_t end = d->at;
        member->block = d->block_end == end;
        ssize_t indent;
        if (r < 0 || (r = yaml_next_line(d, &indent)) < 0)
            return r;
        if (indent > column)
            return document_refuse(d, d->at + (size_t)indent, "this line is indented too far");
        if (indent < column) {
            d->at = end;
            return 0;
        }
        d->at += (size_t)indent;
    }
}

/* Reads a value whose first character is in this column; it belongs to a collection with 'parent' spaces. It
 * ends with its last line. */
static int read_content(struct document *d, struct node *node, ssize_t column, ssize_t parent, unsigned depth)
{
    if (depth == 0)
        return document_refuse(d, d->at, "more than %u nested values", DOCUMENT_DEPTH_MAX);
    if (is_dash(d, d->at))
        return read_sequence(d, column, depth - 1);
    struct node key = {0};
    size_t begin = d->at;
    int r = yaml_scan_key(d, &key);
    if (r < 0)
        return r;
    free(key.key);
    d->at = begin;
    if (r > 0)
        return read_mapping(d, node, column, depth - 1);
    r = yaml_scan_inline(d, node, parent, depth - 1);
    return r < 0 ? r : yaml_end_line(d);
}

/* Refuses characters that end lines, or that no YAML text may contain. */
static int check_characters(const struct document *d)
{
    for (size_t i = d->start; i < d->size; i++) {
        const unsigned char *s = (const unsigned char *)d->text + i;
        if ((s[0] == 0xc2 && s[1] < 0xa0) ||
            (s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9)) ||
            (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf) || (s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe))
            return document_refuse(d, i, "a character that is not allowed here");
    }
    return 0;
}

int yaml_read(struct document *d)
{
    ssize_t indent;
    int r = check_characters(d);
    size_t begin = d->at;
    while (d->text[begin] == '#' || d->text[begin] == '\n' || d->text[begin] == '\r')
        begin = document_line_next(d, begin);
    if (after_prefix(d->text + begin, "---") && (d->text[begin + 3] == ' ' || yaml_line_ends(d, begin + 3))) {
        d->at = begin + 3;
        if (r == 0)
            r = yaml_end_line(d);
    }
    if (r < 0 || (r = yaml_next_line(d, &indent)) < 0)
        return r;
    d->root->below_end = d->size;
    if (indent < 0)
        return 0;
    d->at += (size_t)indent;
    size_t at = d->at;
    r = read_content(d, d->root, indent, -1, DOCUMENT_DEPTH_MAX);
    if (r < 0)
        return r;
    if (d->root->kind != NODE_TABLE || is_dash(d, at) || (d->text[at] == '{' && d->root->first) ||
        (d->text[at] != '{' && !d->root->first))
        return document_refuse(d, at, "the text is not a mapping in block style");
    if ((r = yaml_next_line(d, &indent)) < 0)
        return r;
    return indent < 0 ? 0 : document_refuse(d, d->at + (size_t)indent, "this line belongs to no mapping");
}
