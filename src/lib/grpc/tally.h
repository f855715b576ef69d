/* Computes what a peer's bytes cost, from the frames that they contain, before they are parsed. It does no
 * input or output.
 *
 * nghttp2 reports only the frames that it uses. Frames that it skips (unknown types, frames of closed
 * streams) cost time as well. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grpc_tally {
    /* Bytes of a client's preface that are still to be received; a server begins with GRPC_PREFACE_SIZE. */
    size_t preface;
    uint8_t header[9];
    size_t header_size;
    size_t rest; /* of the frame's payload */
};
#define GRPC_PREFACE_SIZE 24
/* Cost of a message that a handler gets, besides its frames. A KiB of the response costs one. */
#define GRPC_MESSAGE_COST 10

struct grpc_toll {
    /* Cost of all the bytes; one is about a microsecond. An empty frame costs one, and so does a KiB. */
    unsigned cost;
    unsigned frames; /* without large frames of messages */
};

/* Returns the cost of the next received bytes; each read costs one more. */
struct grpc_toll grpc_tally(struct grpc_tally *tally, const uint8_t *data, size_t size);
