/* A gRPC server on the event loop: services, their methods, calls. Everything about a caller is hostile and
 * bounded.
 *
 * A call lives until it was answered finally (grpc_call_reply, grpc_call_finish, or a handler that returned
 * an error). A handler may answer later: it keeps the pointer and registers grpc_call_on_gone(), which is
 * called when the deadline passes or the caller leaves first (the call is then no longer valid). */
#pragma once

#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "lib/grpc/account.h"
#include "lib/grpc/message.h"
#include "lib/grpc/wire.h"

struct grpc_server;
struct grpc_call;
struct grpc_connection;
struct grpc_tls_settings;

enum {
    GRPC_STREAMS_OUT = 1, /* the server may send any number of messages */
    /* The caller too: the handler is called for each, and with NULL when no more come. What a caller sends
     * waits, and fills its window, until it has taken the answers to what it sent before. */
    GRPC_STREAMS_BOTH = 2,
};

/* Beside these, what a method takes of us at most, in its flags too. A request's KiB (1 to 4095; without it,
 * the server's bound): more is refused at its length, before it comes. And calls at once of one origin (an
 * IPv4 address, an IPv6 /64; 1 to 255; without it, as many as it has streams). */
#define GRPC_MESSAGE_KIB(n) ((unsigned)(n) << 8)
#define GRPC_AT_ONCE(n)     ((unsigned)(n) << 24)

/* Returns 0 when it answered or will, or a negative errno with 'e' filled: that is sent as status UNKNOWN
 * with the sentence, as the zone's own servers do. Other statuses: grpc_call_finish(). 'in' is borrowed. */
typedef int (*grpc_handler_fn)(struct grpc_call *call, const ProtobufCMessage *in, void *userdata,
                               struct error *e);

struct grpc_method {
    const char *name;
    unsigned flags;
    const ProtobufCMessageDescriptor *in;
    grpc_handler_fn handler;
};

struct grpc_service {
    const char *name;                  /* with its package */
    const struct grpc_method *methods; /* ends with a name of NULL */
    /* Whether a call may be made, asked when its headers are here and before anything of its body is taken:
     * 0, or a negative errno with 'e' filled and '*ret_status' set (UNAUTHENTICATED unless changed). NULL:
     * everyone may. */
    int (*authorise)(struct grpc_call *call, const struct grpc_method *method, void *userdata,
                     int *ret_status, struct error *e);
};

struct grpc_server_options { /* 0: what stands in brackets */
    /* [64] A further one ends one that had no call authorised: of the address that has most of them, the
     * oldest. When all had, it waits in the backlog. */
    unsigned connections_max;
    /* [8] Of one address, an IPv6 /64 counting as one. A further one ends the oldest that had no call
     * authorised within five seconds, or is closed at once. */
    unsigned connections_per_address_max;
    unsigned streams_max; /* calls at a time of one connection [32] */
    size_t message_max;   /* [16 MiB] */
    size_t buffered_max;  /* requests that are coming in, of all calls together [48 MiB] */
    size_t memory_max;    /* of one unpacked request [64 MiB] */
    size_t unsent_max;    /* of one call's answers that the caller does not take [32 MiB] */
    /* All that connections make the server hold: what comes in, answers, headers, calls, and what HTTP/2 and
     * TLS need for them. Of connections that have shown no good token [32, 48, 64 MiB], and of those that
     * have [64, 96, 128 MiB]. What is beyond is refused with RESOURCE_EXHAUSTED, or its stream or connection
     * ended; where all strangers together hold too much, the connection that holds most gives way. */
    struct grpc_shares strangers, trusted;
    uint64_t request_timeout_usec;   /* until a request is here whole [20 s] */
    uint64_t answer_timeout_usec;    /* until an answer is taken [60 s] */
    uint64_t handshake_timeout_usec; /* [10 s] */
    uint64_t keepalive_usec;         /* [60 s]; its answer has 20 s */
    uint64_t idle_timeout_usec;      /* [5 min] */
    struct grpc_tls_settings *tls;   /* borrowed; NULL: plaintext */
    /* Whether an address may connect now, asked before anything is read; one that may not is closed. NULL: it
     * may. */
    bool (*admit)(const struct sockaddr *address, void *userdata);
    /* Whether an address may make the server work so much more (lib/grpc/tally.h), which counts then. Asked
     * of connections that have shown no good token, before their bytes are parsed (one that may not is sent
     * away), and before a handler gets a message (the call is refused). NULL: it may. */
    bool (*spend)(const struct sockaddr *address, unsigned cost, void *userdata);
    /* Each call at its end, for counting; 'path' is what was asked for. May be NULL. */
    void (*observe)(const char *path, bool known, int status, uint64_t usec, void *userdata);
    void *userdata; /* of admit, spend and observe */
};

int grpc_server_new(sd_event *event, const struct grpc_server_options *options, struct grpc_server **ret);
/* Ends every call and connection. Never from within a handler. NULL is fine. */
void grpc_server_free(struct grpc_server *server);

/* Both borrowed, for the server's life; before grpc_server_listen(). */
void grpc_server_add(struct grpc_server *server, const struct grpc_service *service, void *userdata);
/* Accepts on a listening socket (non-blocking, borrowed). */
int grpc_server_listen(struct grpc_server *server, int fd, struct error *e);
/* Takes an accepted socket. */
void grpc_server_take(struct grpc_server *server, int fd);

/* Accepts no more; calls that exist end as they would, for at most 'timeout_usec', new ones are told to go
 * elsewhere. Streams, which may have no end, are ended with UNAVAILABLE. 'on_drained' (may be NULL) is called
 * from the loop when no connection is left. */
void grpc_server_drain(struct grpc_server *server, uint64_t timeout_usec, void (*on_drained)(void *userdata),
                       void *userdata);

unsigned grpc_server_connections(const struct grpc_server *server);
/* Names of the services, in the order in which they were added; NULL after the last. */
const char *grpc_server_service_name(const struct grpc_server *server, size_t i);

/* Whether a connection may hold so much more; others give way for it where that is fair. Nothing is
 * counted. */
bool server_has_room(struct grpc_connection *c, size_t more);
/* Whether the peer of a connection may make us work so much more, which counts then. */
bool server_pays(struct grpc_connection *c, unsigned cost);
/* Calls of a method that the origin of a connection has open. */
unsigned server_calls_at_once(const struct grpc_connection *c, const struct grpc_method *method);
