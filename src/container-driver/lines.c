/* Implements lines.h. */
#include "container-driver/lines.h"

#include <errno.h>
#include <stdlib.h>

static void append(struct lines *l, const char *data, size_t n)
{
    if (l->used + n + 1 > l->room) {
        l->room = (l->used + n + 1) * 2;
        l->buffer = xrealloc(l->buffer, l->room, 1);
    }
    memcpy(l->buffer + l->used, data, n);
    l->used += n;
    l->buffer[l->used] = '\0';
}

int lines_feed(struct lines *l, const void *data, size_t size, lines_fn on_line, void *userdata,
               struct error *e)
{
    const char *at = data, *end = at + size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ?: end) - at);
        if (l->used + n > l->max)
            return error_fail(e, EMSGSIZE, "a line is longer than %zu bytes", l->max);
        append(l, at, n);
        at += n + (newline ? 1 : 0);
        if (!newline)
            break;
        if (l->used > 0 && l->buffer[l->used - 1] == '\r')
            l->buffer[--l->used] = '\0';
        size_t whole = l->used;
        l->used = 0;
        int r = whole > 0 ? on_line(l->buffer, whole, userdata) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

void lines_done(struct lines *l)
{
    free(l->buffer);
    l->buffer = NULL;
    l->used = l->room = 0;
}
