/* One end of a Varlink connection: NUL-terminated JSON objects over a non-blocking socket, with bounded
 * buffers. Used by server and client alike; knows nothing of methods. */
#pragma once

#include <jansson.h>
#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct stream;

/* Called for each whole message (borrowed). Returns 0 to go on, 1 to stop reading until stream_resume(), or
 * −1 when the stream was freed meanwhile. */
typedef int (*stream_message_fn)(struct stream *s, json_t *message, void *userdata);
/* Called once when the peer is gone or broke the protocol; the owner frees the stream. 'e' says why. */
typedef void (*stream_closed_fn)(struct stream *s, const struct error *e, void *userdata);

/* Takes 'fd' in every case. */
int stream_new(sd_event *event, int fd, stream_message_fn on_message, stream_closed_fn on_closed,
               void *userdata, struct stream **ret);
void stream_free(struct stream *s);

/* What the connections of one user hold together. Of an unfinished message each may hold VARLINK_SMALL; one
 * of them at a time may receive a larger one, and the others are not read on until that is whole. When more
 * than 'unsent_max' bytes of answers wait, the connection with most of them is cut off. All zero but for
 * 'unsent_max'. */
#define VARLINK_SMALL ((size_t)32 << 10)
struct stream_account {
    size_t unsent, unsent_max;
    struct stream *large;   /* receives a larger message */
    struct stream *streams; /* that belong to it, the newest first */
};

/* Counts a stream in an account, which lives until stream_free(). */
void stream_set_account(struct stream *s, struct stream_account *account);

/* Whether nothing was begun: no byte of a message was read or waits in the socket, and no answer waits. */
bool stream_idle(struct stream *s);

/* Queues a message and sends what the socket takes at once. A peer that does not read is cut off (on_closed,
 * from the loop) once VARLINK_OUTPUT_MAX waits. −EMSGSIZE: it is larger than what a peer reads, and was not
 * sent. */
int stream_send(struct stream *s, json_t *message);

/* Goes on after on_message returned 1: messages read already are handled from the loop. */
void stream_resume(struct stream *s);

/* Bytes still unsent. */
size_t stream_pending(struct stream *s);
/* Whether the peer hung up both directions. */
bool stream_peer_gone(struct stream *s);
/* Ends the stream when everything is sent: then on_closed is called with errnum 0. */
void stream_close_when_sent(struct stream *s);
/* Sends what waits, blocking for at most 'usec', and gives the descriptor away (set to blocking mode); the
 * stream is to be freed. Bytes that the peer sent early are in *ret_early (caller frees), or NULL. Negative
 * errno when it could not all be sent. */
int stream_detach(struct stream *s, uint64_t usec, char **ret_early, size_t *ret_early_size);
