/* Implements yaml.h. */
#include "inagent/config/yaml.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

/* Writes a part of the value; the lines that begin in it, with 'line' also at its beginning, are indented by
 * 'to' in place of 'from' spaces. */
static void put_part(FILE *out, const struct document *d, const struct document *value, size_t begin,
                     size_t end, bool line, size_t from, size_t to)
{
    for (size_t i = begin; i < end;) {
        size_t next = document_line_next(value, i), stop = document_line_end(value, i);
        size_t n = line ? strspn(value->text + i, " ") : 0;
        if (next > end)
            next = end;
        if (stop > end)
            stop = end;
        bool empty = i + n >= stop;
        if (line && (!empty || n > 0))
            fprintf(out, "%*s", (int)(n + to > from ? n + to - from : 0), "");
        fwrite(value->text + i + n, 1, stop > i + n ? stop - i - n : 0, out);
        if (stop < next)
            fputs(d->newline, out);
        i = next;
        line = true;
    }
}

/* Returns a part of the value like put_part(). The caller frees it. */
static char *part(const char *before, const struct document *d, const struct document *value, size_t begin,
                  size_t end, bool line, size_t from, size_t to)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    fputs(before, out);
    put_part(out, d, value, begin, end, line, from, to);
    if (fclose(out) != 0)
        abort();
    return text;
}

/* Replaces lines by those of a member of the value with 'indent' spaces. Empty lines and comments that follow
 * a text block could become part of it: the former are removed with the lines. */
static int put_lines(struct document *d, size_t begin, size_t end, const struct node *member, size_t indent,
                     char *lines)
{
    for (size_t at = end; member->block && at < d->size; at = end = document_line_next(d, at)) {
        size_t n = strspn(d->text + at, " ");
        if (n > indent && d->text[at + n] == '#') {
            free(lines);
            return document_refuse(d, at + n, "a comment that would become part of a text block");
        }
        if (document_line_end(d, at) > at + n)
            break;
    }
    if (*lines || begin < end)
        document_replace_lines(d, begin, end, lines);
    else
        free(lines);
    return 0;
}

/* Adds a member of the value to the end of the mapping 'old'. */
static int insert(struct document *d, const struct node *old, const struct document *value,
                  const struct node *member)
{
    size_t from = member->parent->indent, to = old->indent;
    size_t at = old->last ? old->last->below_end : d->size;
    if (at == d->size && d->open_end > 0)
        return document_refuse(d, d->open_end, "a text block at the end that has no newline at its end");
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    fprintf(out, "%*s", (int)to, "");
    put_part(out, d, value, member->key_begin, member->key_end, false, from, to);
    fputs(member->begin < member->end ? ": " : ":", out);
    put_part(out, d, value, member->begin, member->end, false, from, to);
    fputs(d->newline, out);
    put_part(out, d, value, member->below, member->below_end, true, from, to);
    if (fclose(out) != 0)
        abort();
    return put_lines(d, at, at, member, to, text);
}

/* Reports whether a part of the text is already that of the value, or what replace() would write. */
static bool is_same_part(const struct document *d, size_t at, size_t end, const struct document *value,
                         size_t begin, size_t value_end, bool line, size_t from, size_t to)
{
    if (from == to && document_same(d, at, end, value, begin, value_end))
        return true;
    _cleanup_free_ char *text = part("", d, value, begin, value_end, line, from, to);
    return strlen(text) == end - at && memcmp(text, d->text + at, end - at) == 0;
}

static bool is_same(const struct document *d, const struct node *mine, const struct document *value,
                    const struct node *member)
{
    size_t from = member->parent->indent, to = mine->parent->indent;
    return is_same_part(d, mine->begin, mine->end, value, member->begin, member->end, false, from, to) &&
           (member->below == member->below_end
                ? mine->below == mine->below_end
                : is_same_part(d, mine->below, mine->below_end, value, member->below, member->below_end, true,
                               from, to));
}

/* Replaces the value of a member by that of a member of the value. */
static int replace(struct document *d, const struct node *mine, const struct document *value,
                   const struct node *member)
{
    size_t from = member->parent->indent, to = mine->parent->indent;
    bool written = mine->begin < mine->end, writes = member->begin < member->end;
    if (is_same(d, mine, value, member))
        return 0;
    document_replace(
        d, written && writes ? mine->begin : mine->colon, written ? mine->end : mine->colon,
        part(writes && !written ? " " : "", d, value, member->begin, member->end, false, from, to));
    if (mine->below == mine->below_end && member->below == member->below_end && !member->block)
        return 0;
    return put_lines(d, mine->below, mine->below_end, member, to,
                     part("", d, value, member->below, member->below_end, true, from, to));
}

/* Reports whether a plain key can be something else than a text: a number, a truth value, nothing. */
static bool is_special(const struct node *node)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasecmp(node->key, words[i]) == 0)
            return true;
    return node->key_size == 0 || strchr("0123456789+-.~=", node->key[0]);
}

static bool is_flow(const struct node *node)
{
    return node->kind == NODE_TABLE && node->form == TABLE_INLINE;
}

static int merge_mappings(struct document *d, const struct node *old, const struct document *value,
                          const struct node *new);

/* Merges a member that the document has, too. */
static int merge_member(struct document *d, const struct node *mine, const struct document *value,
                        const struct node *member)
{
    if (mine->plain != member->plain && is_special(mine))
        return document_refuse(d, mine->key_begin, "this key is in quotes in one of the two texts alone");
    if (mine->kind != NODE_TABLE || member->kind != NODE_TABLE || !mine->first)
        return replace(d, mine, value, member);
    if (!member->first)
        return 0;
    if (is_flow(mine) && is_flow(member) && is_same(d, mine, value, member))
        return 0;
    if (is_flow(mine))
        return document_refuse(d, mine->key_begin, "a mapping in flow style would have to change");
    if (is_flow(member))
        return document_refuse(
            value, member->key_begin,
            "a mapping in flow style, which would have to be merged with one in block style");
    return merge_mappings(d, mine, value, member);
}

/* Changes the members first, and then adds the others: both can be at the same position, the end of the last
 * one. */
static int merge_mappings(struct document *d, const struct node *old, const struct document *value,
                          const struct node *new)
{
    int r = 0;
    const struct node *member;
    for (member = new->first; member &&r == 0; member = member->next) {
        const struct node *mine = document_find(d, old, member->key, member->key_size);
        r = mine ? merge_member(d, mine, value, member) : 0;
    }
    for (member = new->first; member &&r == 0; member = member->next)
        if (!document_find(d, old, member->key, member->key_size))
            r = insert(d, old, value, member);
    return r;
}

int yaml_merge(struct document *d, const struct document *value)
{
    const struct node *root = d->root;
    if (!root->first && root->begin < root->end && value->root->first) /* {} */
        document_replace(d, root->begin, root->end, xstrdup(""));
    return merge_mappings(d, root, value, value->root);
}
