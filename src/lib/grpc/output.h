/* Queues the messages that one side of a call sends, until the flow control of HTTP/2 allows it. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "lib/grpc/message.h"

struct grpc_output {
    uint8_t *data;
    size_t at, size, room;
    bool last; /* no more messages are added */
};

/* Adds a message with its frame header. */
void grpc_output_add(struct grpc_output *o, const ProtobufCMessage *message);
size_t grpc_output_pending(const struct grpc_output *o);
void grpc_output_done(struct grpc_output *o);

/* Implements a read callback of nghttp2: copies queued bytes, defers if there are none, and sets
 * NGHTTP2_DATA_FLAG_EOF at the end. */
ssize_t grpc_output_read(struct grpc_output *o, uint8_t *to, size_t size, uint32_t *flags);
