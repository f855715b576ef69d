/* Implements toml_read.h. */
#include "inagent/config/toml_read.h"

#include <stdlib.h>

#include "inagent/config/toml_scan.h"
#include "lib/basic/cleanup.h"

static void add_statement(struct toml *toml, size_t begin, size_t end, struct node *node, bool header)
{
    size_t n = toml->n_statements;
    if ((n & (n - 1)) == 0)
        toml->statements = xrealloc(toml->statements, n == 0 ? 1 : 2 * n, sizeof *toml->statements);
    toml->statements[toml->n_statements++] =
        (struct toml_statement){.begin = begin, .end = end, .node = node, .header = header};
}

static int read_value(struct document *d, struct node *node, unsigned depth);

static struct node *add_table(struct document *d, struct node *parent, char *key, size_t size,
                              enum table_form form)
{
    struct node *node = document_add(d, parent, key, size);
    node->kind = NODE_TABLE;
    node->form = form;
    return node;
}

/* Finds or makes the tables of a dotted key in 'table', and adds its last part as a node without a value. */
static int read_dotted_key(struct document *d, struct node *table, struct node **ret)
{
    size_t begin = d->at;
    for (unsigned depth = 0;; depth++) {
        size_t size, part = d->at;
        char *key;
        int r = toml_scan_key(d, &key, &size);
        if (r < 0)
            return r;
        if (depth == DOCUMENT_DEPTH_MAX) {
            free(key);
            return document_refuse(d, begin, "a key of more than %u parts", DOCUMENT_DEPTH_MAX);
        }
        toml_skip_space(d);
        bool last = d->text[d->at] != '.';
        struct node *found = document_find(d, table, key, size);
        if (found && (last || found->kind != NODE_TABLE || found->form != TABLE_DOTTED)) {
            free(key);
            return document_refuse(d, part, "this key is given twice");
        }
        if (found)
            free(key);
        else
            found = last ? document_add(d, table, key, size) : add_table(d, table, key, size, TABLE_DOTTED);
        table = found;
        if (last) {
            table->key_begin = begin;
            table->key_end = d->at;
            *ret = table;
            return 0;
        }
        d->at++;
        toml_skip_space(d);
    }
}

/* Reads a key with its value into 'table'. */
static int read_pair(struct document *d, struct node *table, unsigned depth, struct node **ret)
{
    struct node *node = NULL;
    int r = read_dotted_key(d, table, &node);
    if (r < 0)
        return r;
    if (d->text[d->at] != '=')
        return document_refuse(d, d->at, "an equals sign is expected");
    d->at++;
    toml_skip_space(d);
    r = read_value(d, node, depth);
    if (r < 0)
        return r;
    *ret = node;
    return 0;
}

static int read_inline_table(struct document *d, struct node *node, unsigned depth)
{
    node->kind = NODE_TABLE;
    node->form = TABLE_INLINE;
    node->tail = ++d->at;
    toml_skip_space(d);
    if (d->text[d->at] == '}') {
        d->at++;
        return 0;
    }
    for (;;) {
        struct node *member;
        toml_skip_space(d);
        int r = read_pair(d, node, depth, &member);
        if (r < 0)
            return r;
        node->tail = d->at;
        node->n_values++;
        toml_skip_space(d);
        char c = d->text[d->at];
        if (c != ',' && c != '}')
            return document_refuse(d, d->at, "a comma or '}' is expected");
        d->at++;
        if (c == '}')
            return 0;
    }
}

static void skip_lines(struct document *d)
{
    for (;;) {
        d->at += strspn(d->text + d->at, " \t\r\n");
        if (d->text[d->at] != '#')
            return;
        d->at = document_line_end(d, d->at);
    }
}

static int read_array(struct document *d, unsigned depth)
{
    d->at++;
    for (;;) {
        skip_lines(d);
        if (d->text[d->at] == ']') {
            d->at++;
            return 0;
        }
        /* An element belongs to no tree, but the keys of its tables must be different. */
        int r = read_value(d, document_add(d, NULL, NULL, 0), depth);
        if (r < 0)
            return r;
        skip_lines(d);
        char c = d->text[d->at];
        if (c != ',' && c != ']')
            return document_refuse(d, d->at, "a comma or ']' is expected");
        if (c == ',')
            d->at++;
    }
}

static int read_value(struct document *d, struct node *node, unsigned depth)
{
    node->begin = d->at;
    if (depth == 0)
        return document_refuse(d, d->at, "more than %u nested values", DOCUMENT_DEPTH_MAX);
    int r = d->text[d->at] == '{'   ? read_inline_table(d, node, depth - 1)
            : d->text[d->at] == '[' ? read_array(d, depth - 1)
                                    : toml_scan_scalar(d);
    node->end = d->at;
    return r;
}

/* Finds or makes the table that the last part of a header belongs to, with the part before it. */
static int enter_table(struct document *d, size_t part, struct node **table, char *key, size_t size)
{
    struct node *found = document_find(d, *table, key, size);
    if (!found) {
        *table = add_table(d, *table, key, size, TABLE_IMPLICIT);
        return 0;
    }
    free(key);
    if (found->kind == NODE_ARRAY)
        found = found->last;
    if (found->kind != NODE_TABLE || found->form == TABLE_INLINE)
        return document_refuse(d, part, "this key is given before, and is no table that can be extended");
    *table = found;
    return 0;
}

/* Adds the table, or the element of an array of tables, that a header begins. */
static int begin_table(struct document *d, size_t part, bool element, struct node **table, char *key,
                       size_t size)
{
    struct node *found = document_find(d, *table, key, size);
    if (found) {
        free(key);
        if (element ? found->kind != NODE_ARRAY : found->kind != NODE_TABLE || found->form != TABLE_IMPLICIT)
            return document_refuse(d, part, "this table is given twice");
        found->form = element ? found->form : TABLE_HEADER;
    } else {
        found = add_table(d, *table, key, size, TABLE_HEADER);
        found->kind = element ? NODE_ARRAY : NODE_TABLE;
    }
    *table = element ? add_table(d, found, NULL, 0, TABLE_HEADER) : found;
    return 0;
}

/* Reads a header; *table becomes the table that it begins. */
static int read_header(struct document *d, struct node **table)
{
    bool element = d->text[d->at + 1] == '[';
    d->at += element ? 2 : 1;
    *table = d->root;
    for (unsigned depth = 0;; depth++) {
        char *key;
        size_t size;
        toml_skip_space(d);
        size_t part = d->at;
        int r = toml_scan_key(d, &key, &size);
        if (r < 0)
            return r;
        if (depth == DOCUMENT_DEPTH_MAX) {
            free(key);
            return document_refuse(d, part, "a key of more than %u parts", DOCUMENT_DEPTH_MAX);
        }
        toml_skip_space(d);
        bool last = d->text[d->at] != '.';
        r = last ? begin_table(d, part, element, table, key, size) : enter_table(d, part, table, key, size);
        if (r < 0)
            return r;
        if (last)
            break;
        d->at++;
    }
    if (d->text[d->at] != ']' || (element && d->text[d->at + 1] != ']'))
        return document_refuse(d, d->at, "'%s' is expected", element ? "]]" : "]");
    d->at += element ? 2 : 1;
    return 0;
}

/* Moves the place for new members of a table, and of the dotted tables that lead to it. */
static void set_tails(struct node *node, size_t end)
{
    struct node *table = node->parent;
    table->tail = end;
    while (table->form == TABLE_DOTTED && table->parent) {
        table = table->parent;
        table->tail = end;
    }
}

int toml_read(struct toml *toml)
{
    struct document *d = &toml->document;
    struct node *table = d->root;
    d->root->form = TABLE_HEADER;
    for (skip_lines(d); d->at < d->size; skip_lines(d)) {
        size_t begin = document_line(d, d->at);
        bool header = d->text[d->at] == '[';
        struct node *node;
        int r = header ? read_header(d, &table) : read_pair(d, table, DOCUMENT_DEPTH_MAX, &node);
        if (r < 0)
            return r;
        toml_skip_space(d);
        if (d->text[d->at] && !strchr("#\r\n", d->text[d->at]))
            return document_refuse(d, d->at, "the end of the line is expected");
        d->at = document_line_next(d, d->at);
        add_statement(toml, begin, d->at, header ? table : node, header);
        if (header)
            table->tail = d->at;
        else
            set_tails(node, d->at);
    }
    return 0;
}

void toml_done(struct toml *toml)
{
    free(toml->statements);
    document_done(&toml->document);
    *toml = (struct toml){.statements = NULL};
}
