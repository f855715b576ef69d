/* What a peer's bytes cost, counted by the frames that are in them, before they are parsed. Pure.
 *
 * nghttp2 tells of the frames that it knows and wants: what it skips (unknown types, frames of streams that
 * are over) costs as well. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grpc_tally {
    size_t
        preface; /* bytes of a client's preface that have yet to come: servers begin with GRPC_PREFACE_SIZE */
    uint8_t header[9];
    size_t header_size;
    size_t rest; /* of the frame's payload */
};
#define GRPC_PREFACE_SIZE 24
#define GRPC_MESSAGE_COST                                                                                    \
    10 /* of a message that a handler gets, beside its frames; a KiB of the answer costs one */

struct grpc_toll {
    unsigned cost; /* of all of it, about a microsecond each: a frame that asks for nothing costs one, and so
                      does a KiB */
    unsigned frames; /* without those that bring a good piece of a message */
};

/* The toll of the next bytes; one read is one more. */
struct grpc_toll grpc_tally(struct grpc_tally *tally, const uint8_t *data, size_t size);
