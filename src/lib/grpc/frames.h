/* Parses the messages in the body of a call: one byte whether compressed, four bytes of length, the
 * message. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

#define GRPC_FRAME_HEADER 5

/* A limit of memory that many calls share. */
struct grpc_budget {
    size_t used, max;
};

/* Assembles messages from pieces of any size. Its memory grows with the received bytes, not with the length
 * that the peer claims. It is zero-initialized except for the settings. */
struct grpc_frames {
    size_t message_max;         /* of one message */
    struct grpc_budget *budget; /* may be NULL */
    /* Reports whether there is room for 'bytes' more, and counts them; a negative value gives bytes back. May
     * be NULL. */
    bool (*hold)(void *owner, ssize_t bytes);
    void *owner;
    size_t taken; /* number of parsed bytes of the last input; less than all if the callback stopped */
    uint8_t header[GRPC_FRAME_HEADER];
    size_t header_size, size, have, room;
    uint8_t *data;
};

/* Receives a message (never NULL), which it owns and frees; it then gives 'room' back to the budget and
 * 'hold'. Returns 0, a negative errno to stop, or a positive value to stop and continue later with the
 * rest. */
typedef int (*grpc_frames_message_fn)(uint8_t *data, size_t size, size_t room, void *userdata);

/* Parses bytes. Returns 0, the value of the callback, or with 'e' set −EMSGSIZE (the message is too large, or
 * the budget is used up) or −EPROTONOSUPPORT (compressed). */
int grpc_frames_feed(struct grpc_frames *frames, const uint8_t *data, size_t size,
                     grpc_frames_message_fn on_message, void *userdata, struct error *e);
/* Reports whether the received bytes end with a complete message. */
bool grpc_frames_at_boundary(const struct grpc_frames *frames);
void grpc_frames_done(struct grpc_frames *frames);

/* Writes the five bytes that precede an uncompressed message. */
void grpc_frame_header(size_t size, uint8_t *ret);
