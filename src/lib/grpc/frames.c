/* Implements frames.h. */
#include "lib/grpc/frames.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 512

static int begin(struct grpc_frames *f, struct error *e)
{
    f->size =
        (size_t)f->header[1] << 24 | (size_t)f->header[2] << 16 | (size_t)f->header[3] << 8 | f->header[4];
    if (f->header[0] == 1)
        return error_refuse(e, EPROTONOSUPPORT, "a compressed message, which was not offered");
    if (f->header[0] != 0)
        return error_refuse(e, EPROTONOSUPPORT, "a message with unknown flags (%u)", f->header[0]);
    if (f->size > f->message_max)
        return error_refuse(e, EMSGSIZE, "a message of %zu bytes, at most %zu are taken", f->size,
                            f->message_max);
    return 0;
}

static int grow(struct grpc_frames *f, size_t more, struct error *e)
{
    size_t room = f->room ?: ROOM_FIRST;
    while (room < f->have + more)
        room *= 2;
    if (room > f->size)
        room = f->size ?: 1;
    if (room <= f->room)
        return 0;
    if (f->budget && f->budget->used - f->room + room > f->budget->max)
        return error_refuse(e, EMSGSIZE, "all calls together hold too much memory: try again later");
    if (f->hold && !f->hold(f->owner, (ssize_t)(room - f->room)))
        return error_refuse(e, EMSGSIZE, "callers hold too much memory: try again later");
    if (f->budget)
        f->budget->used += room - f->room;
    f->data = xrealloc(f->data, room, 1);
    f->room = room;
    return 0;
}

static int deliver(struct grpc_frames *f, grpc_frames_message_fn on_message, void *userdata)
{
    uint8_t *data = f->data;
    size_t size = f->size, room = f->room;
    f->data = NULL;
    f->header_size = f->size = f->have = f->room = 0;
    return on_message(data, size, room, userdata);
}

int grpc_frames_feed(struct grpc_frames *f, const uint8_t *data, size_t size,
                     grpc_frames_message_fn on_message, void *userdata, struct error *e)
{
    int r = 0;
    size_t at = 0;
    while (r == 0 && at < size) {
        if (f->header_size < sizeof f->header) {
            f->header[f->header_size++] = data[at++];
            if (f->header_size < sizeof f->header)
                continue;
            r = begin(f, e);
        }
        size_t n = size - at < f->size - f->have ? size - at : f->size - f->have;
        if (r >= 0 && (n > 0 || f->size == 0))
            r = grow(f, n, e);
        if (r < 0)
            break;
        if (n > 0)
            memcpy(f->data + f->have, data + at, n);
        f->have += n;
        at += n;
        if (f->have == f->size)
            r = deliver(f, on_message, userdata);
    }
    f->taken = at;
    return r;
}

bool grpc_frames_at_boundary(const struct grpc_frames *f)
{
    return f->header_size == 0;
}

void grpc_frames_done(struct grpc_frames *f)
{
    if (f->budget)
        f->budget->used -= f->room;
    if (f->hold)
        f->hold(f->owner, -(ssize_t)f->room);
    free(f->data);
    f->data = NULL;
    f->header_size = f->size = f->have = f->room = 0;
}

void grpc_frame_header(size_t size, uint8_t *ret)
{
    ret[0] = 0;
    for (int i = 0; i < 4; i++)
        ret[1 + i] = (uint8_t)(size >> (24 - 8 * i));
}
