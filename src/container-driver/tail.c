/* The last lines of output; see tail.h. */
#include "container-driver/tail.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"

/* Length of the well-formed UTF-8 sequence at 's', 0 when there is none (RFC 3629). */
static size_t sequence(const unsigned char *s, size_t left)
{
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
               : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
               : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static char *readable(const char *text, size_t size)
{
    char *out = xcalloc(size + 1, 1), *at = out;
    const unsigned char *s = (const unsigned char *)text;
    while (size > 0) {
        size_t n = sequence(s, size);
        if (n <= 1)
            *at++ = n == 0 ? '?' : *s < ' ' || *s == 127 ? ' ' : (char)*s;
        else
            at = mempcpy(at, s, n);
        n = n ?: 1;
        s += n;
        size -= n;
    }
    return out;
}

static void add_line(struct tail *t, struct tail_partial *p)
{
    size_t n = p->n;
    if (n > 0 && p->text[n - 1] == '\r')
        n--;
    if (!t->lines)
        t->lines = xcalloc(t->max, sizeof *t->lines);
    size_t at = (t->first + t->n) % t->max;
    if (t->n == t->max) {
        free(t->lines[at]);
        t->first = (t->first + 1) % t->max;
    } else {
        t->n++;
    }
    t->lines[at] = readable(p->text, n);
    p->n = 0;
    p->begun = false;
}

int tail_piece(int stream, const void *data, size_t size, void *tail)
{
    struct tail *t = tail;
    struct tail_partial *p = &t->partial[stream == 1 ? 0 : 1];
    const char *at = data;
    while (size > 0) {
        const char *newline = memchr(at, '\n', size);
        size_t n = newline ? (size_t)(newline - at) : size, room = sizeof p->text - p->n;
        memcpy(p->text + p->n, at, n < room ? n : room);
        p->n += n < room ? n : room;
        p->begun = true;
        if (newline) {
            add_line(t, p);
            n++;
        }
        at += n;
        size -= n;
    }
    return 0;
}

void tail_take(struct tail *t, char ***ret, size_t *ret_n)
{
    for (size_t i = 0; i < ARRAY_SIZE(t->partial); i++)
        if (t->partial[i].begun)
            add_line(t, &t->partial[i]);
    *ret = xcalloc(t->n, sizeof **ret);
    *ret_n = t->n;
    for (size_t i = 0; i < t->n; i++)
        (*ret)[i] = TAKE_PTR(t->lines[(t->first + i) % t->max]);
    t->n = 0;
}

void tail_done(struct tail *t)
{
    for (size_t i = 0; t->lines && i < t->max; i++)
        free(t->lines[i]);
    free(t->lines);
    t->lines = NULL;
    t->n = 0;
}
