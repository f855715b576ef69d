/* What server.c (connections) and call.c (calls) share. */
#pragma once

#include "lib/grpc/connection.h"
#include "lib/grpc/frames.h"
#include "lib/grpc/output.h"
#include "lib/grpc/server.h"
#include "lib/loop/timer.h"

#define SERVICES_MAX  8
#define LISTENERS_MAX 4
/* Bytes of a stream that may be under way to us: at first, and when its message is larger. */
#define WINDOW_FIRST (64 * 1024)
#define WINDOW_LARGE (256 * 1024)
#define HEADERS_MAX  (16 * 1024) /* of one call, with 32 bytes for each beside its own */

struct grpc_added {
    const struct grpc_service *service;
    void *userdata;
};

struct grpc_server {
    sd_event *event;
    struct grpc_server_options options;
    struct grpc_added services[SERVICES_MAX];
    size_t n_services;
    sd_event_source *listeners[LISTENERS_MAX];
    size_t n_listeners;
    struct grpc_connection *connections;
    unsigned n_connections;
    struct peer_places places; /* of the connections */
    struct grpc_accounts accounts;
    struct grpc_budget budget;
    bool paused, draining;
    sd_event_source *drained;
    struct timer drain_timer;
    void (*on_drained)(void *userdata);
    void *drained_userdata;
};

struct grpc_metadata {
    char *name, *value;
};

struct grpc_call {
    struct grpc_server *server;
    struct grpc_connection *connection;
    struct grpc_call *next, *previous; /* of the connection */
    int32_t stream;
    uint64_t began;
    /* Headers */
    char *path;
    bool post, right_type, bad_timeout;
    struct grpc_metadata *metadata;
    size_t n_metadata, header_bytes;
    size_t held; /* by the call itself and its headers */
    bool headers_done;
    const struct grpc_added *service;
    const struct grpc_method *method;
    struct timer timer; /* until the request is here, the deadline, the answer is taken */
    uint64_t deadline;  /* monotonic µs; UINT64_MAX: none */
    /* The request */
    struct grpc_frames frames;
    uint8_t *request; /* the message of a method that takes one */
    size_t request_size, request_room;
    bool large;       /* its window was made larger */
    bool ended;       /* by the caller: nothing more comes */
    uint8_t *waiting; /* of a stream whose answers have to be taken first; not consumed yet */
    size_t waiting_size;
    /* The answer */
    struct grpc_output output;
    size_t output_held; /* of it, what is counted */
    bool answered;      /* finally: the handler has it no longer */
    bool responded;     /* headers went out */
    int status;
    char *text;
    void (*on_gone)(struct grpc_call *call, void *userdata);
    void *gone_userdata;
};

/* server.c: whether a connection may hold so much more; others give way for it where that is fair. Nothing is
 * counted. */
bool server_has_room(struct grpc_connection *c, size_t more);
/* Whether the peer of a connection may make us work so much more, which counts then. */
bool server_pays(struct grpc_connection *c, unsigned cost);
/* Calls of a method that the origin of a connection has open. */
unsigned server_calls_at_once(const struct grpc_connection *c, const struct grpc_method *method);

#define HOLDS_TOO_MUCH "callers hold too much: try again later"

/* call.c: what is held for a call counts against its connection; false when that may not hold more. */
bool call_hold(struct grpc_call *call, size_t bytes);
void call_give_back(struct grpc_call *call, size_t bytes);
/* Of a message that came in, which takes part in the budget of all. */
void call_give_back_message(struct grpc_call *call, size_t room);
/* The output has changed. */
void call_recount_output(struct grpc_call *call);
void call_forget_request(struct grpc_call *call);
void call_forget_waiting(struct grpc_call *call);
/* It ends with this status. */
void call_observe(const struct grpc_call *call, int status);
/* Its timer, with its deadline while it is not answered; 0: that alone. */
void call_arm(struct grpc_call *call, uint64_t timeout_usec);
/* call_answer.c: for what is no gRPC at all. */
void call_respond_http(struct grpc_call *call, const char *status);

/* What connections call; call.c, call_message.c and call_answer.c. */
void call_begin(struct grpc_connection *c, int32_t stream);
int call_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
void call_headers(void *stream, bool end);
ssize_t call_data(void *stream, const uint8_t *data, size_t size);
void call_end(void *stream);
void call_sent_end(void *stream);
void call_closed(void *stream, uint32_t code);
/* The server ends: what would not end by itself is ended. */
void call_drain(struct grpc_call *call);
/* Its answers were taken: what waited for that goes on. */
void call_wake(struct grpc_call *call);
/* Its connection is gone. */
void call_drop(struct grpc_call *call);
