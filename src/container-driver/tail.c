/* Implements tail.h. */
#include "container-driver/tail.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"

/* Replaces control characters of ASCII with spaces, which are easier to read than '?': most of them are
 * tabulators and parts of colour codes. */
static char *readable(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = ' ';
    _cleanup_free_ char *line = xstrndup(text, size);
    return printable(line);
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
