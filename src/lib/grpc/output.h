/* The messages that one side of a call sends, until HTTP/2's flow control lets them go. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "lib/grpc/message.h"

struct grpc_output {
    uint8_t *data;
    size_t at, size, room;
    bool last; /* nothing is added any more */
};

/* Adds a message with its frame header. */
void grpc_output_add(struct grpc_output *o, const ProtobufCMessage *message);
size_t grpc_output_pending(const struct grpc_output *o);
void grpc_output_done(struct grpc_output *o);

/* What nghttp2's read callback has to do: copies; defers while there is nothing yet; at the end sets
 * NGHTTP2_DATA_FLAG_EOF. */
ssize_t grpc_output_read(struct grpc_output *o, uint8_t *to, size_t size, uint32_t *flags);
