/* Implements output.h. */
#include "lib/grpc/output.h"

#include "lib/grpc/frames.h"

/* Appends a message. 'packed' has space for the frame header at its start; takes ownership of it. */
static void add(struct grpc_output *o, uint8_t *packed, size_t size)
{
    grpc_frame_header(size - GRPC_FRAME_HEADER, packed);
    /* The queue is empty, so no copy is needed. */
    if (o->at == o->size) {
        free(o->data);
        *o = (struct grpc_output){.data = packed, .size = size, .room = size, .last = o->last};
        return;
    }
    if (o->at > 0) {
        memmove(o->data, o->data + o->at, o->size - o->at);
        o->size -= o->at;
        o->at = 0;
    }
    if (o->size + size > o->room) {
        o->room = 2 * o->size + size;
        o->data = xrealloc(o->data, o->room, 1);
    }
    memcpy(o->data + o->size, packed, size);
    o->size += size;
    free(packed);
}

void grpc_output_add(struct grpc_output *o, const ProtobufCMessage *message)
{
    size_t size = 0;
    uint8_t *packed = grpc_message_pack(message, GRPC_FRAME_HEADER, &size);
    add(o, packed, size);
}

size_t grpc_output_pending(const struct grpc_output *o)
{
    return o->size - o->at;
}

void grpc_output_done(struct grpc_output *o)
{
    free(o->data);
    *o = (struct grpc_output){.last = o->last};
}

ssize_t grpc_output_read(struct grpc_output *o, uint8_t *to, size_t size, uint32_t *flags)
{
    size_t n = o->size - o->at < size ? o->size - o->at : size;
    if (n == 0 && !o->last)
        return NGHTTP2_ERR_DEFERRED;
    if (n > 0)
        memcpy(to, o->data + o->at, n);
    o->at += n;
    if (o->at == o->size) {
        grpc_output_done(o);
        if (o->last)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}
