/* Messages in the body of a call: one byte whether compressed, four of length, the bytes. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

#define GRPC_FRAME_HEADER 5

/* Memory that many calls share: what one takes the others have not. */
struct grpc_budget {
    size_t used, max;
};

/* Collects messages from pieces of any size. Grows by what came, never by the length that the peer claims.
 * All zero but the settings: nothing came. */
struct grpc_frames {
    size_t message_max;         /* of one message */
    struct grpc_budget *budget; /* may be NULL */
    /* Whether there is room for so much more, which counts then; or counts what is given back (negative). May
     * be NULL. */
    bool (*hold)(void *owner, ssize_t bytes);
    void *owner;
    size_t taken; /* of the bytes that were fed last: less than all where the callback stopped it */
    uint8_t header[GRPC_FRAME_HEADER];
    size_t header_size, size, have, room;
    uint8_t *data;
};

/* Takes the message, which the callee frees (never NULL), giving its 'room' back to the budget (and 'hold')
 * then. Returns negative to stop, or positive to go on later with what was not taken. */
typedef int (*grpc_frames_message_fn)(uint8_t *data, size_t size, size_t room, void *userdata);

/* 0, what the callback returned, or, with 'e' filled: −EMSGSIZE (too large, or the budget is used up),
 * −EPROTONOSUPPORT (compressed). */
int grpc_frames_feed(struct grpc_frames *frames, const uint8_t *data, size_t size,
                     grpc_frames_message_fn on_message, void *userdata, struct error *e);
/* Whether what came ends with a whole message. */
bool grpc_frames_at_boundary(const struct grpc_frames *frames);
void grpc_frames_done(struct grpc_frames *frames);

/* The five bytes before an uncompressed message. */
void grpc_frame_header(size_t size, uint8_t *ret);
