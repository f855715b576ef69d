/* Messages in the body of a call: one byte whether compressed, four of length, the bytes. */
#pragma once

#include "lib/basic/error.h"

#define GRPC_FRAME_HEADER 5

/* Memory that many calls share: what one takes the others have not. */
struct grpc_budget {
    size_t used, max;
};

/* Collects messages from pieces of any size. Grows by what came, never by the length that the peer claims. All zero but the settings:
 * nothing came. */
struct grpc_frames {
    size_t message_max;         /* of one message */
    struct grpc_budget *budget; /* may be NULL */
    uint8_t header[GRPC_FRAME_HEADER];
    size_t header_size, size, have, room;
    uint8_t *data;
};

/* Takes the message, which the callee frees (never NULL), giving its 'room' back to the budget then. Returns negative to stop. */
typedef int (*grpc_frames_message)(uint8_t *data, size_t size, size_t room, void *userdata);

/* 0, what the callback returned, or, with 'e' filled: −EMSGSIZE (too large, or the budget is used up), −EPROTONOSUPPORT (compressed). */
int grpc_frames_feed(struct grpc_frames *frames, const uint8_t *data, size_t size,
                     grpc_frames_message on_message, void *userdata, struct error *e);
/* Whether what came ends with a whole message. */
bool grpc_frames_at_boundary(const struct grpc_frames *frames);
void grpc_frames_done(struct grpc_frames *frames);

/* The five bytes before an uncompressed message. */
void grpc_frame_header(size_t size, uint8_t *ret);
