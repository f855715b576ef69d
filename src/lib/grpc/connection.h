/* One HTTP/2 connection of a server or a client on the event loop: socket, session of nghttp2, and the
 * detection of peers that are silent, slow or send floods. The owner manages the streams, of which hooks
 * notify it.
 *
 * nghttp2 must not send from its own callbacks. Therefore no function here sends at once:
 * grpc_connection_kick() schedules it for the next iteration of the loop, and hooks may call everything
 * except grpc_connection_free(). */
#pragma once

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "lib/basic/error.h"
#include "lib/grpc/account.h"
#include "lib/grpc/tally.h"
#include "lib/loop/timer.h"
#include "lib/peer/places.h"

struct grpc_connection;

struct grpc_connection_hooks {
    /* A stream begins (servers only). The hook sets its object by nghttp2_session_set_stream_user_data(), or
     * resets the stream. */
    void (*begin)(struct grpc_connection *c, int32_t stream);
    /* The following hooks are called for streams that have an object. 'header' gets one header of a block,
     * which 'headers' ends. A negative return value resets the stream. */
    int (*header)(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
    void (*headers)(void *stream, bool end);
    /* Returns how many of the bytes are consumed; the peer may send as many further ones on this stream.
     * grpc_connection_consumed() reports the rest later. All of the bytes are returned to the window of the
     * connection at once, so that a stream that waits does not stop the others. A negative return value
     * resets the stream. */
    ssize_t (*data)(void *stream, const uint8_t *data, size_t size);
    /* The peer has ended the stream. It is called after 'headers' or 'data'. */
    void (*end)(void *stream);
    /* A frame was sent that ends the stream on this side. */
    void (*sent_end)(void *stream);
    /* The stream has ended, with an error code of HTTP/2. The hook frees the object. */
    void (*closed)(void *stream, uint32_t code);
    /* Bytes with this cost (grpc_tally()) were read and are not parsed yet. If it returns false, the
     * connection is ended. May be NULL. */
    bool (*toll)(struct grpc_connection *c, unsigned cost);
    /* Reports whether the connection may hold the memory that it holds; false ends it. NULL: a limit for all
     * connections applies. */
    bool (*room)(struct grpc_connection *c);
    /* Called after grpc_connection_wake(), outside of nghttp2's callbacks. */
    void (*wake)(struct grpc_connection *c);
    /* The peer accepts no further streams. */
    void (*goaway)(struct grpc_connection *c);
    /* Called once from the loop, at the end: the owner ends the remaining streams and calls
     * grpc_connection_free(). */
    void (*gone)(struct grpc_connection *c, const struct error *e);
};

/* in µs; 0: no limit */
struct grpc_connection_limits {
    uint64_t handshake; /* until the peer's settings are received */
    uint64_t stall;     /* while the peer does not read what is sent */
    /* Silence during open streams after which the peer is sent a ping. */
    uint64_t keepalive;
    uint64_t keepalive_answer; /* for the reply to that ping */
    uint64_t idle;             /* without streams; then the connection is ended with GOAWAY */
};

struct grpc_tls;

struct grpc_connection {
    /* Servers only. It is the first member, so that a pointer to it is a pointer to its connection. */
    struct peer_place place;
    struct grpc_account account;
    sd_event *event;
    void *owner;
    const struct grpc_connection_hooks *hooks;
    struct grpc_connection_limits limits;
    struct grpc_connection *next, *previous; /* the owner's list */
    void *first_stream;                      /* the owner's objects of streams */
    int fd;
    struct grpc_tls *tls; /* NULL: plaintext */
    sd_event_source *io, *work;
    struct timer timer;
    nghttp2_session *session;
    bool server, connecting;
    bool settled;  /* the peer's settings were received */
    bool draining; /* the connection ends when it has no streams; after 'farewell' it accepts no new ones */
    /* The peer was notified that the connection drains, and its reply to a ping is pending. New streams are
     * accepted until then. */
    bool farewell;
    bool trusted;  /* servers: a call of the connection was authorised */
    bool banished; /* the peer exceeded a limit: nothing more is read */
    bool woken;
    bool dead;     /* failed; 'gone' was or will be called */
    char peer[80]; /* "192.0.2.1:9533" */
    struct sockaddr_storage address;
    unsigned streams;
    uint8_t *unsent;
    size_t unsent_at, unsent_size, unsent_room;
    uint64_t created, last_read, idle_since, stalled_since, pinged;
    struct grpc_tally tally;
    unsigned frames; /* since frames_since, without those that a useful message compensated */
    uint64_t frames_since;
    struct error error; /* why it failed */
};

struct grpc_connection_options {
    const struct grpc_connection_hooks *hooks;
    void *owner;
    struct grpc_connection_limits limits;
    bool server;
    bool connecting;      /* connect() has not finished */
    struct grpc_tls *tls; /* the connection takes ownership */
    unsigned streams_max; /* number of streams that the peer may have open; 0: none (clients) */
    uint32_t window;      /* bytes of one stream that the peer may send before they are consumed */
    uint32_t window_all;  /* the same for all streams together */
    uint32_t header_list_max;
};

/* Creates a connection. Takes ownership of 'fd' (non-blocking), also on failure. Returns 0 or a negative
 * errno. */
int grpc_connection_new(sd_event *event, int fd, const struct grpc_connection_options *options,
                        struct grpc_connection **ret, struct error *e);
/* Ends the connection at once without calling a hook. Of the hooks only 'gone' may call it. */
void grpc_connection_free(struct grpc_connection *c);

/* Schedules sending, and the handling of a failure, for the next iteration of the loop. */
void grpc_connection_kick(struct grpc_connection *c);
/* Marks the connection as failed; the loop then calls 'gone'. The first reason counts. */
void grpc_connection_fail(struct grpc_connection *c, int errnum, const char *fmt, ...) _printf_(3, 4);
/* Schedules a call of the hook 'wake'. */
void grpc_connection_wake(struct grpc_connection *c);
/* Reports bytes of a stream as consumed that the hook 'data' had not consumed. */
void grpc_connection_consumed(struct grpc_connection *c, int32_t stream, size_t bytes);
/* Reports that frames of the peer were useful: a message was delivered. */
void grpc_connection_useful(struct grpc_connection *c);
/* Report that the owner's stream began or ended. */
void grpc_connection_opened(struct grpc_connection *c);
void grpc_connection_closed(struct grpc_connection *c);
/* Sends GOAWAY: existing streams continue, new ones are refused, and without streams the connection ends. A
 * server whose peer has sent its settings sends a shutdown notice and a ping first, and accepts new streams
 * until the reply to the ping arrives: the peer may have begun them before it received the notice. */
void grpc_connection_drain(struct grpc_connection *c);
