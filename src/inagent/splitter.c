/* Implements splitter.h. */
#include "inagent/splitter.h"

#include <stdlib.h>

#include "lib/basic/util.h"

#define ROOM_MIN ((size_t)256)

/* Makes room for 'size' further bytes. The room doubles, so that many small additions cost little. */
static void make_room(char **bytes, size_t used, size_t *room, size_t size)
{
    size_t wanted = *room ?: ROOM_MIN;
    while (wanted - used < size)
        wanted *= 2;
    if (wanted > *room)
        *bytes = xrealloc(*bytes, wanted, 1);
    *room = wanted;
}

void pending_add(struct pending *p, const void *data, size_t size)
{
    make_room(&p->bytes, p->used, &p->room, size);
    memcpy(p->bytes + p->used, data, size);
    p->used += size;
}

void pending_sent(struct pending *p, size_t size)
{
    p->sent += size;
    if (p->sent == p->used)
        p->used = p->sent = 0;
}

void pending_clear(struct pending *p)
{
    free(p->bytes);
    *p = (struct pending){.used = 0};
}

void splitter_init(struct splitter *s, const char *task)
{
    *s = (struct splitter){.held = NULL};
    s->n_prefix = log_label_prefix(task, s->prefix);
}

static void hold(struct splitter *s, const char *data, size_t size)
{
    make_room(&s->held, s->n_held, &s->room, size);
    memcpy(s->held + s->n_held, data, size);
    s->n_held += size;
}

/* Adds one line: what is held, and 'data' without its newline. */
static void put_line(struct splitter *s, const char *data, size_t size, struct pending *out)
{
    make_room(&out->bytes, out->used, &out->room, s->n_prefix + s->n_held + size + 1);
    pending_add(out, s->prefix, s->n_prefix);
    if (s->n_held > 0)
        pending_add(out, s->held, s->n_held);
    pending_add(out, data, size);
    pending_add(out, "\n", 1);
    splitter_clear(s);
}

void splitter_feed(struct splitter *s, const char *data, size_t size, struct pending *out)
{
    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        size_t n = newline ? (size_t)(newline - data) : size, max = LOG_LINE_MAX - s->n_prefix - s->n_held;
        if (n > max) {
            put_line(s, data, max, out);
            n = max;
        } else if (newline) {
            put_line(s, data, n++, out);
        } else {
            hold(s, data, n);
        }
        data += n;
        size -= n;
    }
}

void splitter_end(struct splitter *s, struct pending *out)
{
    if (s->n_held > 0)
        put_line(s, "", 0, out);
}

void splitter_clear(struct splitter *s)
{
    free(s->held);
    s->held = NULL;
    s->n_held = s->room = 0;
}
