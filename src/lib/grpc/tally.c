/* Implements tally.h. */
#include "lib/grpc/tally.h"

#include <nghttp2/nghttp2.h>

#define GOOD_PIECE 256 /* a DATA frame with at least this many bytes counts as useful */

static unsigned cost_of(uint8_t type, size_t size)
{
    switch (type) {
    /* a call; each byte may be a header */
    case NGHTTP2_HEADERS:
        return 6 + (unsigned)(size >> 6);
    case NGHTTP2_CONTINUATION:
        return 2 + (unsigned)(size >> 6);
    /* changes the tree of streams */
    case NGHTTP2_PRIORITY:
        return 3;
    /* may change every stream, and needs a reply */
    case NGHTTP2_SETTINGS:
        return 4;
    case NGHTTP2_PING:
    case NGHTTP2_RST_STREAM:
        return 2;
    default:
        return 1;
    }
}

struct grpc_toll grpc_tally(struct grpc_tally *t, const uint8_t *data, size_t size)
{
    struct grpc_toll toll = {.cost = 1 + (unsigned)(size >> 10)};
    size_t at = size < t->preface ? size : t->preface;
    t->preface -= at;
    while (at < size) {
        size_t n = size - at < t->rest ? size - at : t->rest;
        t->rest -= n;
        at += n;
        if (at == size)
            break;
        t->header[t->header_size++] = data[at++];
        if (t->header_size < sizeof t->header)
            continue;
        t->header_size = 0;
        t->rest = (size_t)t->header[0] << 16 | (size_t)t->header[1] << 8 | t->header[2];
        toll.cost += cost_of(t->header[3], t->rest);
        toll.frames += t->header[3] != NGHTTP2_DATA || t->rest < GOOD_PIECE;
    }
    return toll;
}
