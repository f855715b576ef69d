/* Implements document.h. */
#include "inagent/config/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

int document_refuse(const struct document *d, size_t at, const char *fmt, ...)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < d->size; i++)
        if (d->text[i] == '\n') {
            line++;
            column = 1;
        } else if ((d->text[i] & 0xc0) != 0x80) {
            column++;
        }
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return error_refuse(d->e, EINVAL, "%s, line %zu, column %zu: %s", d->name, line, column, text);
}

/* Returns the length of the UTF-8 character (RFC 3629) at 's', which ends with a NUL, or 0 if it is none. */
static size_t character_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, and what is beyond U+10FFFF */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static int check_characters(struct document *d, bool utf8)
{
    for (size_t i = d->at; i < d->size;) {
        unsigned char c = (unsigned char)d->text[i];
        if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return document_refuse(d, i, "a control character");
        if (c == '\r' && d->text[i + 1] != '\n')
            return document_refuse(d, i, "a carriage return that is not followed by a newline");
        size_t n = utf8 ? character_length((const unsigned char *)d->text + i) : 1;
        if (n == 0)
            return document_refuse(d, i, "this is not UTF-8");
        i += n;
    }
    return 0;
}

int document_open(struct document *d, const char *name, const char *text, size_t size, bool utf8,
                  struct error *e)
{
    *d = (struct document){.name = name, .text = text, .size = size, .newline = "\n", .e = e};
    d->index = json_object();
    if (!d->index)
        abort();
    d->root = document_add(d, NULL, NULL, 0);
    d->root->kind = NODE_TABLE;
    if (size > DOCUMENT_MAX)
        return error_refuse(e, EFBIG, "%s has %zu bytes, more than %u", name, size, DOCUMENT_MAX);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        d->at = d->start = 3;
    const char *first = memchr(text, '\n', size);
    if (first && first > text && first[-1] == '\r')
        d->newline = "\r\n";
    return check_characters(d, utf8);
}

void document_done(struct document *d)
{
    for (struct node *node = d->newest; node;) {
        struct node *older = node->older;
        free(node->key);
        free(node->instead);
        free(node);
        node = older;
    }
    for (size_t i = 0; i < d->n_replacements; i++)
        free(d->replacements[i].text);
    free(d->replacements);
    json_decref(d->index);
    *d = (struct document){0};
}

/* Returns the key in the index: the table's address and the name. The caller frees it. */
static char *index_key(const struct node *table, const char *key, size_t size)
{
    char *name = xcalloc(1, sizeof table + size + 1);
    memcpy(name, &table, sizeof table);
    if (size > 0)
        memcpy(name + sizeof table, key, size);
    return name;
}

struct node *document_add(struct document *d, struct node *parent, char *key, size_t key_size)
{
    struct node *node = xcalloc(1, sizeof *node);
    node->older = d->newest;
    d->newest = node;
    node->parent = parent;
    node->key = key;
    node->key_size = key_size;
    if (parent && parent->last)
        parent->last->next = node;
    else if (parent)
        parent->first = node;
    if (parent)
        parent->last = node;
    if (!key)
        return node;
    _cleanup_free_ char *name = index_key(parent, key, key_size);
    if (json_object_setn_new_nocheck(d->index, name, sizeof parent + key_size,
                                     json_integer((json_int_t)(intptr_t)node)) < 0)
        abort();
    return node;
}

struct node *document_find(const struct document *d, const struct node *table, const char *key,
                           size_t key_size)
{
    _cleanup_free_ char *name = index_key(table, key, key_size);
    json_t *found = json_object_getn(d->index, name, sizeof table + key_size);
    return found ? (struct node *)(intptr_t)json_integer_value(found) : NULL;
}

void document_replace(struct document *d, size_t begin, size_t end, char *text)
{
    /* grows by doubling */
    size_t n = d->n_replacements;
    if ((n & (n - 1)) == 0)
        d->replacements = xrealloc(d->replacements, n == 0 ? 1 : 2 * n, sizeof *d->replacements);
    d->replacements[d->n_replacements++] =
        (struct replacement){.begin = begin, .end = end, .text = text, .order = n};
}

void document_replace_lines(struct document *d, size_t begin, size_t end, char *lines)
{
    bool ended = begin < d->size || begin == d->start || d->text[begin - 1] == '\n' || d->n_added > 0;
    d->n_added += end == d->size;
    document_replace(d, begin, end, ended ? lines : xasprintf("%s%s", d->newline, lines));
    if (!ended)
        free(lines);
}

static int compare_replacements(const void *a, const void *b)
{
    const struct replacement *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

char *document_result(struct document *d, size_t *ret_size)
{
    if (d->n_replacements > 0)
        qsort(d->replacements, d->n_replacements, sizeof *d->replacements, compare_replacements);
    char *ret = NULL;
    FILE *out = open_memstream(&ret, ret_size);
    if (!out)
        abort();
    size_t at = 0;
    for (size_t i = 0; i < d->n_replacements; i++) {
        const struct replacement *replacement = &d->replacements[i];
        if (replacement->begin > at)
            fwrite(d->text + at, 1, replacement->begin - at, out);
        fputs(replacement->text, out);
        if (replacement->end > at)
            at = replacement->end;
    }
    fwrite(d->text + at, 1, d->size - at, out);
    if (fclose(out) != 0)
        abort();
    return ret;
}

size_t document_line(const struct document *d, size_t at)
{
    while (at > d->start && d->text[at - 1] != '\n')
        at--;
    return at;
}

size_t document_line_end(const struct document *d, size_t at)
{
    at += strcspn(d->text + at, "\n");
    return at > 0 && d->text[at] == '\n' && d->text[at - 1] == '\r' ? at - 1 : at;
}

size_t document_line_next(const struct document *d, size_t at)
{
    at += strcspn(d->text + at, "\n");
    return at < d->size ? at + 1 : at;
}

bool document_first_in_line(const struct document *d, size_t at)
{
    while (at > d->start && (d->text[at - 1] == ' ' || d->text[at - 1] == '\t'))
        at--;
    return at == d->start || d->text[at - 1] == '\n';
}

bool document_same(const struct document *a, size_t begin, size_t end, const struct document *b,
                   size_t other_begin, size_t other_end)
{
    return end - begin == other_end - other_begin &&
           memcmp(a->text + begin, b->text + other_begin, end - begin) == 0;
}

size_t document_put_character(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)((0xf00U >> n & 0xf0) | code);
    return n;
}

int64_t document_hex(const char *s, size_t n)
{
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = s[i] ? strchr(digits, s[i] | 0x20) : NULL;
        if (!digit)
            return -1;
        value = value << 4 | (digit - digits);
    }
    return value;
}

bool document_read_unicode(struct document *d, char **to)
{
    int64_t code = document_hex(d->text + d->at, 4);
    if (code < 0)
        return false;
    d->at += 4;
    if (code >= 0xd800 && code < 0xdc00 && d->text[d->at] == '\\' && d->text[d->at + 1] == 'u') {
        int64_t low = document_hex(d->text + d->at + 2, 4);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
            d->at += 6;
        }
    }
    *to += document_put_character(*to, (uint32_t)code);
    return true;
}
