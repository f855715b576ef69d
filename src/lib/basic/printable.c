/* Implements printable.h. */
#include "lib/basic/printable.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

struct range {
    uint32_t first, last;
};

/* Ascending. The joiners (U+200C, U+200D) are printable: scripts and emoji need them. */
static const struct range refused[] = {
    {0x00, 0x1f},       /* C0 */
    {0x7f, 0x9f},       /* DEL, C1 */
    {0x61c, 0x61c},     /* Arabic letter mark (direction) */
    {0x200b, 0x200b},   /* zero width space */
    {0x200e, 0x200f},   /* marks of direction */
    {0x2028, 0x202e},   /* separators of lines and paragraphs; embeddings and overrides of direction */
    {0x2060, 0x206f},   /* invisible operators, isolates of direction */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xfff9, 0xfffb},   /* interlinear annotation */
    {0xe0000, 0xe007f}, /* tags */
};

/* Decodes one character (RFC 3629: no overlong form, no surrogate). Returns its length in bytes; 0:
 * incomplete; −1: not UTF-8. */
static int decode(const unsigned char *s, size_t size, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? -1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : -1;
    if (n < 0)
        return -1;
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7fU >> n);
    for (int i = 1; i < n; i++) {
        if ((size_t)i == size)
            return 0;
        if ((s[i] & 0xc0) != 0x80)
            return -1;
        code = code << 6 | (s[i] & 0x3fU);
    }
    if (code < least[n] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
        return -1;
    *ret = code;
    return n;
}

static bool is_refused(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_SIZE(refused) && refused[i].first <= code; i++)
        if (code <= refused[i].last)
            return true;
    return false;
}

/* Returns the number of plain ASCII characters at the start: nearly all text consists of these. */
static size_t plain(const char *data, size_t size)
{
    size_t n = 0;
    while (n < size && data[n] >= 0x20 && data[n] < 0x7f)
        n++;
    return n;
}

size_t printable_character(const char *data, size_t size, bool end, bool *ret_printable)
{
    uint32_t code = 0;
    int n = decode((const unsigned char *)data, size, &code);
    if (n == 0 && !end)
        return 0;
    *ret_printable = n > 0 && !is_refused(code);
    return n > 0 ? (size_t)n : 1;
}

static char *replaced(const char *text, bool tabs)
{
    size_t left = strlen(text);
    char *copy = xcalloc(left + 1, 1), *at = copy;
    while (left > 0) {
        size_t n = plain(text, left);
        bool good = n > 0 || (tabs && *text == '\t');
        if (n == 0)
            n = good ? 1 : printable_character(text, left, true, &good);
        if (good)
            at = mempcpy(at, text, n);
        else
            *at++ = '?';
        text += n;
        left -= n;
    }
    return copy;
}

char *printable(const char *text)
{
    return replaced(text, false);
}

char *printable_line(const char *text)
{
    return replaced(text, true);
}

static void put_form(FILE *out, const char *data, size_t n)
{
    uint32_t code;
    if (decode((const unsigned char *)data, n, &code) <= 0)
        fprintf(out, "\\x%02x", (unsigned char)data[0]);
    else if (code < 0x10000)
        fprintf(out, "\\u%04x", code);
    else
        fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10), 0xdc00 + (code & 0x3ff));
}

/* Writes one character. Returns its length in bytes, or 0 if it is incomplete. */
static size_t put_character(FILE *out, const char *data, size_t size, bool end)
{
    bool good, line_end = data[0] == '\r' && size > 1 && data[1] == '\n';
    if (data[0] == '\r' && size == 1 && !end)
        return 0;
    size_t n = printable_character(data, size, end, &good);
    if (n == 0)
        return 0;
    if (good || line_end || data[0] == '\n' || data[0] == '\t')
        fwrite(data, 1, n, out);
    else
        put_form(out, data, n);
    return n;
}

size_t printable_feed(struct printable_stream *s, const char *data, size_t size, bool end, char **ret)
{
    char *text = NULL;
    size_t n_text = 0;
    FILE *out = open_memstream(&text, &n_text);
    if (!out)
        abort();
    /* Completes the held bytes one by one: a character has at most four. */
    while (s->n_held > 0 && (size > 0 || end)) {
        if (size > 0) {
            s->held[s->n_held++] = *data++;
            size--;
        }
        size_t n;
        while (s->n_held > 0 && (n = put_character(out, s->held, s->n_held, end && size == 0)) > 0) {
            s->n_held -= n;
            memmove(s->held, s->held + n, s->n_held);
        }
    }
    while (size > 0) {
        size_t n = plain(data, size);
        if (n > 0)
            fwrite(data, 1, n, out);
        else if ((n = put_character(out, data, size, end)) == 0)
            break;
        data += n;
        size -= n;
    }
    assert(size < sizeof s->held - s->n_held);
    memcpy(s->held + s->n_held, data, size);
    s->n_held += size;
    fclose(out);
    *ret = text;
    return n_text;
}
