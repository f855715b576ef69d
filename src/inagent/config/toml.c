/* Implements toml.h. */
#include "inagent/config/toml.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

struct merge {
    struct document *d;
    const struct document *value;
    FILE *sections; /* those that are added at the end of the text */
    bool above;     /* the root has no members yet, and new ones are inserted above the first header */
};

/* --- writing --- */

static FILE *open_text(char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (!out)
        abort();
    return out;
}

static void close_text(FILE *out)
{
    if (fclose(out) != 0)
        abort();
}

static void put_key(FILE *out, const struct node *node)
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (node->key_size > 0 && strspn(node->key, bare) == node->key_size) {
        fputs(node->key, out);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; i < node->key_size; i++) {
        unsigned char c = (unsigned char)node->key[i];
        if (c < ' ' || c == 0x7f)
            fprintf(out, "\\u%04X", c);
        else
            fprintf(out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
    }
    fputc('"', out);
}

/* Writes the keys from below 'top' to 'node' with points between them. */
static void put_path(FILE *out, const struct node *top, const struct node *node)
{
    if (node == top)
        return;
    if (node->parent != top) {
        put_path(out, top, node->parent);
        fputc('.', out);
    }
    put_key(out, node);
}

/* Writes a member of the value in one expression. */
static void put_value(FILE *out, const struct document *value, const struct node *node)
{
    if (node->kind == NODE_VALUE || (node->kind == NODE_TABLE && node->form == TABLE_INLINE)) {
        fwrite(value->text + node->begin, 1, node->end - node->begin, out);
        return;
    }
    fputc(node->kind == NODE_TABLE ? '{' : '[', out);
    for (const struct node *member = node->first; member; member = member->next) {
        if (node->kind == NODE_TABLE) {
            put_key(out, member);
            fputs(" = ", out);
        }
        put_value(out, value, member);
        fputs(member->next ? ", " : "", out);
    }
    fputc(node->kind == NODE_TABLE ? '}' : ']', out);
}

/* Reports whether a member is written by sections of its own. */
static bool has_sections(const struct node *node)
{
    return node->kind == NODE_ARRAY || (node->kind == NODE_TABLE && node->form != TABLE_INLINE);
}

/* Writes a table of the value, or each element of an array of tables, with its header, after an empty line.
 */
static void put_sections(FILE *out, const struct merge *m, const char *path, const struct node *node)
{
    if (node->kind == NODE_ARRAY) {
        for (const struct node *element = node->first; element; element = element->next)
            put_sections(out, m, path, element);
        return;
    }
    bool element = node->parent->kind == NODE_ARRAY;
    fprintf(out, "%s%s%s%s%s", m->d->newline, element ? "[[" : "[", path, element ? "]]" : "]",
            m->d->newline);
    for (const struct node *member = node->first; member; member = member->next) {
        if (has_sections(member))
            continue;
        put_key(out, member);
        fputs(" = ", out);
        put_value(out, m->value, member);
        fputs(m->d->newline, out);
    }
    for (const struct node *member = node->first; member; member = member->next) {
        if (!has_sections(member))
            continue;
        _cleanup_free_ char *name = NULL;
        size_t size;
        FILE *key = open_text(&name, &size);
        fprintf(key, "%s.", path);
        put_key(key, member);
        close_text(key);
        put_sections(out, m, name, member);
    }
}

/* Returns the sections of a member of the value for the table 'old'. The caller frees the text. */
static char *sections_text(const struct merge *m, const struct node *old, const struct node *member)
{
    _cleanup_free_ char *path = NULL;
    char *ret = NULL;
    size_t size;
    FILE *out = open_text(&path, &size);
    put_path(out, m->d->root, old);
    fputs(old == m->d->root ? "" : ".", out);
    put_key(out, member);
    close_text(out);
    out = open_text(&ret, &size);
    put_sections(out, m, path, member);
    close_text(out);
    return ret;
}

/* --- merging --- */

static bool is_same(const struct document *d, const struct node *old, const struct document *value,
                    const struct node *new)
{
    if (old->kind != new->kind)
        return false;
    if (old->kind == NODE_VALUE)
        return document_same(d, old->begin, old->end, value, new->begin, new->end);
    const struct node *a = old->first, *b = new->first;
    for (; a && b; a = a->next, b = b->next) {
        const struct node *mine = old->kind == NODE_ARRAY ? a : document_find(d, old, b->key, b->key_size);
        if (!mine || !is_same(d, mine, value, b))
            return false;
    }
    return !a && !b;
}

/* Returns the table in whose lines, or braces, the members of a table are written: itself, unless it is
 * written by dotted keys. */
static struct node *written_in(struct node *table)
{
    while (table->form == TABLE_DOTTED)
        table = table->parent;
    return table;
}

/* Adds a member of the value to 'old' in the form "key = value". */
static void add_pair(const struct merge *m, FILE *pairs, struct node *old, const struct node *member)
{
    struct node *place = written_in(old);
    char *text = NULL;
    size_t size;
    FILE *out = place->form == TABLE_INLINE ? open_text(&text, &size) : pairs;
    if (place->form == TABLE_INLINE && place->n_values++ > 0)
        fputs(", ", out);
    put_path(out, place, old);
    fputs(old == place ? "" : ".", out);
    put_key(out, member);
    fputs(" = ", out);
    put_value(out, m->value, member);
    if (place->form == TABLE_INLINE) {
        close_text(out);
        document_replace(m->d, place->tail, place->tail, text);
    } else {
        fputs(m->d->newline, out);
    }
}

static int merge_tables(const struct merge *m, struct node *old, const struct node *new);

static int merge_member(const struct merge *m, FILE *pairs, struct node *old, const struct node *member)
{
    struct node *mine = document_find(m->d, old, member->key, member->key_size);
    bool sections = has_sections(member) && (old->form == TABLE_HEADER || old->form == TABLE_IMPLICIT);
    if (mine && mine->kind == NODE_TABLE && member->kind == NODE_TABLE)
        return merge_tables(m, mine, member);
    if (mine && is_same(m->d, mine, m->value, member))
        return 0;
    if (mine && !has_sections(mine)) {
        char *text = NULL;
        size_t size;
        FILE *out = open_text(&text, &size);
        put_value(out, m->value, member);
        close_text(out);
        document_replace(m->d, mine->begin, mine->end, text);
        return 0;
    }
    if (mine && written_in(old)->form == TABLE_INLINE)
        return document_refuse(m->d, written_in(old)->begin,
                               "dotted keys in an inline table, which would have to be replaced");
    if (mine)
        mine->removed = true;
    if (!sections) {
        add_pair(m, pairs, old, member);
        return 0;
    }
    _cleanup_free_ char *text = sections_text(m, old, member);
    /* Dotted keys are between others, where no header can be. */
    if (mine && mine->form != TABLE_DOTTED)
        mine->instead = xstrdup(text + strlen(m->d->newline));
    else
        fputs(text, m->sections);
    return 0;
}

/* Returns where the first member of the text's root is inserted: before the first header and its comment. */
static size_t root_tail(const struct toml *toml)
{
    const struct document *d = &toml->document;
    size_t at = toml->n_statements > 0 ? toml->statements[0].begin : d->size;
    while (toml->n_statements > 0 && at > d->start) {
        size_t line = document_line(d, at - 1);
        if (d->text[line + strspn(d->text + line, " \t")] != '#')
            break;
        at = line;
    }
    return at;
}

static int merge_tables(const struct merge *m, struct node *old, const struct node *new)
{
    char *lines = NULL;
    size_t size;
    FILE *pairs = open_text(&lines, &size);
    int r = 0;
    for (const struct node *member = new->first; member &&r == 0; member = member->next)
        r = merge_member(m, pairs, old, member);
    close_text(pairs);
    if (r < 0 || size == 0) {
        free(lines);
    } else if (old->form == TABLE_IMPLICIT) {
        fprintf(m->sections, "%s[", m->d->newline);
        put_path(m->sections, m->d->root, old);
        fprintf(m->sections, "]%s%s", m->d->newline, lines);
        free(lines);
    } else {
        bool apart = m->above && old == m->d->root;
        document_replace_lines(m->d, old->tail, old->tail,
                               apart ? xasprintf("%s%s", lines, m->d->newline) : lines);
        if (apart)
            free(lines);
    }
    return r;
}

/* Removes the statements of the nodes that are marked. */
static void remove_statements(struct toml *toml)
{
    for (size_t i = 0; i < toml->n_statements; i++) {
        const struct toml_statement *statement = &toml->statements[i];
        for (struct node *node = statement->node; node; node = node->parent)
            if (node->removed) {
                char *instead = TAKE_PTR(node->instead);
                document_replace(&toml->document, statement->begin, statement->end, instead ?: xstrdup(""));
                break;
            }
    }
}

int toml_merge(struct toml *toml, const struct toml *value)
{
    struct merge m = {.d = &toml->document, .value = &value->document};
    char *sections = NULL;
    size_t size;
    if (m.d->root->tail == 0) {
        m.d->root->tail = root_tail(toml);
        m.above = toml->n_statements > 0;
    }
    m.sections = open_text(&sections, &size);
    int r = merge_tables(&m, m.d->root, m.value->root);
    close_text(m.sections);
    if (r < 0 || size == 0)
        free(sections);
    else
        document_replace_lines(m.d, m.d->size, m.d->size, sections);
    remove_statements(toml);
    return r;
}
