/* Implements properties.h. */
#include "inagent/config/properties.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

/* Appends the character of an escape sequence in a key to *to; 'at' is behind the backslash. */
static int read_escape(struct document *d, char **to)
{
    char c = d->text[d->at++];
    if (c == 'u') {
        if (!document_read_unicode(d, to))
            return document_refuse(d, d->at - 2, "four hexadecimal digits are expected after \\u");
        return 0;
    }
    if (c == '\r' || c == '\n') { /* the key continues in the next line */
        d->at = document_line_next(d, d->at - 1);
        d->at += strspn(d->text + d->at, " \t");
        return d->text[d->at] && !strchr("\r\n", d->text[d->at])
                   ? 0
                   : document_refuse(d, d->at, "a line that continues in no other");
    }
    static const char letters[] = "tnrf", meanings[] = "\t\n\r\f";
    const char *letter = c ? strchr(letters, c) : NULL;
    if (!c)
        return document_refuse(d, d->at - 2, "the text ends after a backslash");
    *(*to)++ = letter ? meanings[letter - letters] : c;
    return 0;
}

/* Reads a value, which ends with its line or with the last line that it continues in. */
static int read_value(struct document *d, struct node *node)
{
    node->begin = d->at;
    while (d->text[d->at] && d->text[d->at] != '\n' && d->text[d->at] != '\r') {
        if (d->text[d->at++] != '\\')
            continue;
        char ignored[4], *to = ignored;
        int r = read_escape(d, &to);
        if (r < 0)
            return r;
    }
    node->end = d->at;
    return 0;
}

static int read_property(struct document *d)
{
    size_t begin = d->at;
    _cleanup_free_ char *key = xcalloc(1, document_line_next(d, begin) - begin + 8);
    size_t room = document_line_next(d, begin) - begin + 8;
    char *to = key;
    while (d->text[d->at] && !strchr("=: \t\r\n", d->text[d->at])) {
        size_t n = (size_t)(to - key);
        if (n + 8 > room) { /* a key of several lines */
            room *= 2;
            key = xrealloc(key, room, 1);
            to = key + n;
        }
        if (d->text[d->at] != '\\') {
            *to++ = d->text[d->at++];
            continue;
        }
        d->at++;
        int r = read_escape(d, &to);
        if (r < 0)
            return r;
    }
    size_t size = (size_t)(to - key);
    *to = '\0';
    bool twice = document_find(d, d->root, key, size);
    struct node *node = document_add(d, d->root, TAKE_PTR(key), size);
    if (twice)
        return document_refuse(d, begin, "this key is given twice");
    node->key_begin = begin;
    node->key_end = d->at;
    d->at += strspn(d->text + d->at, " \t");
    if (d->text[d->at] == '=' || d->text[d->at] == ':')
        d->at += 1 + strspn(d->text + d->at + 1, " \t");
    return read_value(d, node);
}

int properties_read(struct document *d)
{
    while (d->at < d->size) {
        d->at += strspn(d->text + d->at, " \t");
        char c = d->text[d->at];
        if (c && !strchr("#!\r\n", c)) {
            int r = read_property(d);
            if (r < 0)
                return r;
        }
        d->at = document_line_next(d, d->at);
    }
    return 0;
}

/* Writes a part of the value, whose text is UTF-8, as ASCII. */
static void put_ascii(FILE *out, const struct document *value, size_t begin, size_t end)
{
    for (size_t i = begin; i < end;) {
        unsigned char c = (unsigned char)value->text[i++];
        if (c == '\\' && i < end && (unsigned char)value->text[i] >= 0x80)
            continue; /* it means nothing, and would mean something before another backslash */
        if (c < 0x80) {
            fputc(c, out);
            if (c == '\\' && i < end)
                fputc(value->text[i++], out);
            continue;
        }
        uint32_t code = c & (c < 0xe0 ? 0x1fU : c < 0xf0 ? 0x0fU : 0x07U);
        while (i < end && (value->text[i] & 0xc0) == 0x80)
            code = code << 6 | (value->text[i++] & 0x3fU);
        if (code >= 0x10000)
            fprintf(out, "\\u%04X\\u%04X", (unsigned)(0xd7c0 + (code >> 10)),
                    (unsigned)(0xdc00 + (code & 0x3ff)));
        else
            fprintf(out, "\\u%04X", (unsigned)code);
    }
}

/* Returns a part of the value as ASCII, before a text. The caller frees it. */
static char *ascii(const struct document *value, size_t begin, size_t end, const char *after)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    put_ascii(out, value, begin, end);
    fputs(after, out);
    if (fclose(out) != 0)
        abort();
    return text;
}

/* Gives a property the value of the same key in the value. */
static void replace(struct document *d, const struct node *mine, const struct document *value,
                    const struct node *new)
{
    _cleanup_free_ char *text = ascii(value, new->begin, new->end, "");
    size_t size = mine->end - mine->begin;
    if (strlen(text) == size && memcmp(text, d->text + mine->begin, size) == 0)
        return;
    /* White space alone would not separate the key from a value that begins with a sign. */
    bool sign = strcspn(d->text + mine->key_end, "=:") < mine->begin - mine->key_end;
    document_replace(d, mine->begin, mine->end, xasprintf("%s%s", sign ? "" : "=", text));
}

int properties_merge(struct document *d, const struct document *value)
{
    const struct node *node, *mine;
    for (node = value->root->first; node; node = node->next)
        if ((mine = document_find(d, d->root, node->key, node->key_size)))
            replace(d, mine, value, node);
    for (node = value->root->first; node; node = node->next)
        if (!document_find(d, d->root, node->key, node->key_size))
            document_replace_lines(d, d->size, d->size, ascii(value, node->key_begin, node->end, d->newline));
    return 0;
}
