/* One HTTP/2 connection on the event loop, of a server or a client: socket, nghttp2's session, and the watch
 * over a peer that is silent, slow or floods. Streams are their owners', which learn of them by hooks.
 *
 * nghttp2 must not be made to send from within its own callbacks. So nothing here sends when asked to:
 * grpc_connection_kick() has it done by the next turn of the loop, and hooks may call everything but
 * grpc_connection_free(). */
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
    /* A stream begins (servers); the hook sets its object by nghttp2_session_set_stream_user_data(), or
     * resets it. */
    void (*begin)(struct grpc_connection *c, int32_t stream);
    /* The rest are for streams that have an object. A header, of the block that ends with 'headers'. Negative
     * resets the stream. */
    int (*header)(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
    void (*headers)(void *stream, bool end);
    /* How many of the bytes are done with, for which the peer may send others: for the rest
     * grpc_connection_consumed() says it later. Negative resets the stream. */
    ssize_t (*data)(void *stream, const uint8_t *data, size_t size);
    /* The peer sends nothing more. Comes after 'headers' or 'data'. */
    void (*end)(void *stream);
    /* A frame of ours went out that ends the stream on our side. */
    void (*sent_end)(void *stream);
    /* 'code' is nghttp2's; the object is the hook's to free. */
    void (*closed)(void *stream, uint32_t code);
    /* Bytes were read that cost so much (grpc_tally), and are not parsed yet: false sends the peer away. May
     * be NULL. */
    bool (*toll)(struct grpc_connection *c, unsigned cost);
    /* Whether the connection may hold what it holds; false ends it. NULL: up to a bound of all connections.
     */
    bool (*room)(struct grpc_connection *c);
    /* What grpc_connection_wake() asked for, outside of nghttp2. */
    void (*wake)(struct grpc_connection *c);
    /* The peer will not take further streams. */
    void (*goaway)(struct grpc_connection *c);
    /* Once, at the end, from the loop: the owner ends the streams that are left and calls
     * grpc_connection_free(). */
    void (*gone)(struct grpc_connection *c, const struct error *e);
};

struct grpc_connection_limits { /* µs; 0: not watched */
    uint64_t handshake;         /* until the peer's settings are here */
    uint64_t stall;             /* what we send is not taken */
    uint64_t
        keepalive; /* silence, while there are streams, after which the peer is asked for a sign of life */
    uint64_t keepalive_answer; /* in which it has to come */
    uint64_t idle;             /* no streams: the connection is ended, politely */
};

struct grpc_tls;

struct grpc_connection {
    struct peer_place place; /* servers; first: a place is its connection */
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
    bool settled;  /* the peer's settings came */
    bool draining; /* takes no new streams */
    bool farewell; /* said that it will, and waits for the peer to have heard it */
    bool trusted;  /* servers: a call of it was authorised */
    bool banished; /* it was told to go: nothing of it is read any more */
    bool woken;
    bool dead;     /* over; 'gone' was called or will be */
    char peer[80]; /* "192.0.2.1:9533" */
    struct sockaddr_storage address;
    unsigned streams;
    uint8_t *unsent;
    size_t unsent_at, unsent_size, unsent_room;
    uint64_t created, last_read, idle_since, stalled_since, pinged;
    struct grpc_tally tally;
    unsigned frames; /* since frames_since, beyond those that were worth it */
    uint64_t frames_since;
    struct error error; /* why it is dead */
};

struct grpc_connection_options {
    const struct grpc_connection_hooks *hooks;
    void *owner;
    struct grpc_connection_limits limits;
    bool server;
    bool connecting;      /* connect() has not finished */
    struct grpc_tls *tls; /* taken */
    unsigned streams_max; /* that the peer may have at once; 0: none (clients) */
    uint32_t window;      /* bytes of one stream that may be under way to us */
    uint32_t window_all;  /* and of all together */
    uint32_t header_list_max;
};

/* Takes 'fd' (non-blocking) in every case. */
int grpc_connection_new(sd_event *event, int fd, const struct grpc_connection_options *options,
                        struct grpc_connection **ret, struct error *e);
/* Ends it at once, calling no hook. Never from within a hook but 'gone'. */
void grpc_connection_free(struct grpc_connection *c);

/* There is something to send, or the end was asked for: soon. */
void grpc_connection_kick(struct grpc_connection *c);
/* It is over: 'gone' comes from the loop. The first reason counts. */
void grpc_connection_fail(struct grpc_connection *c, int errnum, const char *fmt, ...) _printf_(3, 4);
/* 'wake' is called from the loop. */
void grpc_connection_wake(struct grpc_connection *c);
/* Bytes of a stream are done with that were not when they came. */
void grpc_connection_consumed(struct grpc_connection *c, int32_t stream, size_t bytes);
/* The peer's frames were for something: a message was handed to whom it is for. */
void grpc_connection_useful(struct grpc_connection *c);
/* Owners say when a stream of theirs begins and ends. */
void grpc_connection_opened(struct grpc_connection *c);
void grpc_connection_closed(struct grpc_connection *c);
/* Says GOAWAY: streams that exist end as they would, new ones are refused, and without streams the connection
 * ends. */
void grpc_connection_drain(struct grpc_connection *c);
