/* A gRPC server on the event loop: services, methods, calls. All input of callers is treated as hostile, and
 * all resources that callers can use are limited.
 *
 * A call exists until its final response (grpc_call_reply(), grpc_call_finish(), or an error that its handler
 * returns). A handler may respond later: it stores the pointer and registers grpc_call_on_gone(), which is
 * called if the deadline passes or the caller leaves before. The call is invalid afterwards. */
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
    /* Both sides may send any number of messages: the handler is called for each message, and with NULL at
     * the end of the request. Further messages of a caller wait, and fill its flow-control window, until it
     * has read the responses to the previous ones. */
    GRPC_STREAMS_BOTH = 2,
};

/* The flags also contain limits of a method. GRPC_MESSAGE_KIB: size of a request in KiB (1 to 4095; default:
 * the server's limit); a larger request is refused by its length, before it is received. GRPC_AT_ONCE: calls
 * at the same time of one origin (an IPv4 address, an IPv6 /64; 1 to 255; default: no limit besides the
 * streams). */
#define GRPC_MESSAGE_KIB(n) ((unsigned)(n) << 8)
#define GRPC_AT_ONCE(n)     ((unsigned)(n) << 24)

/* Handles a message; 'in' is borrowed. Returns 0 if it has responded or will respond, or a negative errno
 * with 'e' set, which is sent as status UNKNOWN with the message, as the servers of the zone do.
 * grpc_call_finish() sends other statuses. */
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
    const struct grpc_method *methods; /* a list that ends with a name of NULL */
    /* Checks whether a call is allowed, when its headers are received and before its body is read. Returns 0,
     * or a negative errno with 'e' and '*ret_status' set (UNAUTHENTICATED by default). NULL: all calls are
     * allowed. */
    int (*authorise)(struct grpc_call *call, const struct grpc_method *method, void *userdata,
                     int *ret_status, struct error *e);
};

/* 0 means the value in brackets */
struct grpc_server_options {
    /* [64] A further connection replaces one without an authorised call: the oldest one of the address that
     * has most of them. If all had an authorised call, it waits in the backlog. */
    unsigned connections_max;
    /* [8] Of one address; an IPv6 /64 counts as one. A further connection replaces the oldest that had no
     * authorised call within five seconds. If there is none, it is closed at once. */
    unsigned connections_per_address_max;
    unsigned streams_max; /* concurrent calls of one connection [32] */
    size_t message_max;   /* bytes of one request [16 MiB] */
    size_t buffered_max;  /* requests that are being received, of all calls together [48 MiB] */
    size_t memory_max;    /* of one unpacked request [64 MiB] */
    size_t unsent_max;    /* of the responses of one call that the caller does not read [32 MiB] */
    /* Memory that connections may make the server hold: received data, responses, headers, calls, and what
     * HTTP/2 and TLS need for them. Limits for a connection, an origin and all together: for unauthenticated
     * peers [32, 48, 64 MiB], and for authenticated ones [64, 96, 128 MiB]. Beyond a limit a call is refused
     * with RESOURCE_EXHAUSTED, or its stream or connection is ended. If all unauthenticated peers together
     * hold too much, the connection that holds most is evicted. */
    struct grpc_shares strangers, trusted;
    uint64_t request_timeout_usec;   /* until a request is received completely [20 s] */
    uint64_t answer_timeout_usec;    /* until a response is read [60 s] */
    uint64_t handshake_timeout_usec; /* [10 s] */
    uint64_t keepalive_usec;         /* [60 s]; 20 s for the reply */
    uint64_t idle_timeout_usec;      /* [5 min] */
    struct grpc_tls_settings *tls;   /* borrowed; NULL: plaintext */
    /* Reports whether an address may connect now, before anything is read. If not, the connection is closed.
     * NULL: every address may. */
    bool (*admit)(const struct sockaddr *address, void *userdata);
    /* Reports whether an address may cause this much work (lib/grpc/tally.h), and counts it. It is called for
     * unauthenticated connections, before their bytes are parsed (if it returns false, the connection is
     * ended), and before a handler gets a message (the call is refused). NULL: every address may. */
    bool (*spend)(const struct sockaddr *address, unsigned cost, void *userdata);
    /* Called at the end of each call, for statistics; 'path' is as the caller sent it. May be NULL. */
    void (*observe)(const char *path, bool known, int status, uint64_t usec, void *userdata);
    void *userdata; /* of admit, spend and observe */
};

int grpc_server_new(sd_event *event, const struct grpc_server_options *options, struct grpc_server **ret);
/* Ends all calls and connections and frees the server. Must not be called from a handler. 'server' may be
 * NULL. */
void grpc_server_free(struct grpc_server *server);

/* Adds a service, before grpc_server_listen(). Both pointers are borrowed until the server is freed. */
void grpc_server_add(struct grpc_server *server, const struct grpc_service *service, void *userdata);
/* Accepts connections on a listening socket (non-blocking, borrowed). Returns 0 or a negative errno. */
int grpc_server_listen(struct grpc_server *server, int fd, struct error *e);
/* Serves an accepted connection. Takes ownership of 'fd'. */
void grpc_server_take(struct grpc_server *server, int fd);

/* Stops accepting. Existing calls continue for at most 'timeout_usec'; clients are told to send new ones
 * elsewhere. Streams, which may have no end, are ended with UNAVAILABLE. The loop calls 'on_drained' (may be
 * NULL) when no connection is left. */
void grpc_server_drain(struct grpc_server *server, uint64_t timeout_usec, void (*on_drained)(void *userdata),
                       void *userdata);

unsigned grpc_server_connections(const struct grpc_server *server);
/* Returns the name of service number 'i' in the order of their addition, or NULL after the last one. */
const char *grpc_server_service_name(const struct grpc_server *server, size_t i);

/* Reports whether a connection may hold 'more' bytes, and evicts other connections where the limits demand
 * it. Does not count the bytes. */
bool server_has_room(struct grpc_connection *c, size_t more);
/* Reports whether the peer of a connection may cause this much work, and counts it. */
bool server_pays(struct grpc_connection *c, unsigned cost);
/* Returns the number of open calls of a method from the origin of a connection. */
unsigned server_calls_at_once(const struct grpc_connection *c, const struct grpc_method *method);
