/* Implements one end of a Varlink connection: NUL-terminated JSON objects over a non-blocking socket, with
 * bounded buffers. Server and client use it; it does not interpret the messages. */
#pragma once

#include <jansson.h>
#include <systemd/sd-event.h>

#include "lib/basic/error.h"

struct stream;

/* Receives each complete message (borrowed). Returns 0 to continue, 1 to stop reading until stream_resume(),
 * or −1 when it has freed the stream. */
typedef int (*stream_message_fn)(struct stream *s, json_t *message, void *userdata);
/* Is called once, from the event loop, when the connection has ended or the peer has violated the protocol;
 * 'e' is the reason. The owner frees the stream. */
typedef void (*stream_closed_fn)(struct stream *s, const struct error *e, void *userdata);

/* Creates a stream. Takes ownership of 'fd', also on failure. Returns 0 or a negative errno. */
int stream_new(sd_event *event, int fd, stream_message_fn on_message, stream_closed_fn on_closed,
               void *userdata, struct stream **ret);
/* Closes the connection and frees the stream, also from within its callbacks; 's' may be NULL. */
void stream_free(struct stream *s);

/* The memory that the connections of one user share. Each connection may have VARLINK_SMALL bytes of an
 * unfinished message. Only one connection at a time may receive a larger message; others that need more room
 * are not read until it is complete. When more than 'unsent_max' bytes are unsent, the connection with most
 * of them ends. The owner sets 'unsent_max' and zeroes the rest. */
#define VARLINK_SMALL ((size_t)32 << 10)
struct stream_account {
    size_t unsent, unsent_max;
    struct stream *large;   /* may receive a larger message; NULL: none does */
    struct stream *streams; /* the streams of the account, the newest first */
};

/* Adds a stream to an account, which must exist until stream_free(). */
void stream_set_account(struct stream *s, struct stream_account *account);

/* Reports whether the stream is idle: no byte of a message was read or waits in the socket, and nothing is
 * unsent. */
bool stream_idle(struct stream *s);

/* Queues a message and sends as much as the socket accepts at once. When more than VARLINK_OUTPUT_MAX bytes
 * are unsent, the connection ends (on_closed, from the event loop). Returns 0, or −EMSGSIZE when the message
 * exceeds the limits of a message and was not queued. */
int stream_send(struct stream *s, json_t *message);

/* Resumes reading after on_message returned 1. The event loop handles the messages that were read already. */
void stream_resume(struct stream *s);

/* Returns the number of unsent bytes. */
size_t stream_pending(struct stream *s);
/* Reports whether the peer has closed both directions of the connection. */
bool stream_peer_gone(struct stream *s);
/* Ends the stream when everything is sent; then calls on_closed with an errnum of 0. */
void stream_close_when_sent(struct stream *s);
/* Sends the unsent bytes, blocking for at most 'usec', and returns the descriptor, in blocking mode, which
 * the caller closes. The caller frees the stream as well. *ret_early contains the bytes that were received
 * but not handled (the caller frees), or is NULL. Returns −ETIMEDOUT or −ECONNRESET when not everything could
 * be sent. */
int stream_detach(struct stream *s, uint64_t usec, char **ret_early, size_t *ret_early_size);
