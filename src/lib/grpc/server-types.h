/* Declares what server.c (connections) and call.c (calls) share. */
#pragma once

#include "lib/grpc/connection.h"
#include "lib/grpc/frames.h"
#include "lib/grpc/output.h"
#include "lib/grpc/server.h"
#include "lib/loop/timer.h"

#define SERVICES_MAX  8
#define LISTENERS_MAX 4
/* Bytes of a stream that the peer may send before they are consumed: at first, and for larger messages. */
#define WINDOW_FIRST (64 * 1024)
#define WINDOW_LARGE (256 * 1024)
#define HEADERS_MAX  (16 * 1024) /* of one call, counting 32 bytes more for each header */

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
    /* headers */
    char *path;
    bool post, right_type, bad_timeout;
    struct grpc_metadata *metadata;
    size_t n_metadata, header_bytes;
    size_t held; /* memory of the call itself and its headers */
    bool headers_done;
    const struct grpc_added *service;
    const struct grpc_method *method;
    struct timer timer; /* until the request is complete, the deadline passes, or the response is sent */
    uint64_t deadline;  /* monotonic µs; UINT64_MAX: none */
    /* the request */
    struct grpc_frames frames;
    uint8_t *request; /* the message of a method that has one request message */
    size_t request_size, request_room;
    bool large; /* its window was enlarged */
    bool ended; /* by the caller, which sends nothing more */
    /* Bytes of a stream that must wait until responses are read. They are not consumed yet. */
    uint8_t *waiting;
    size_t waiting_size;
    /* the response */
    struct grpc_output output;
    size_t output_held; /* bytes of it that are counted */
    bool answered;      /* finally: the handler must not use the call any more */
    bool responded;     /* headers were sent */
    int status;
    char *text;
    void (*on_gone)(struct grpc_call *call, void *userdata);
    void *gone_userdata;
};

#define HOLDS_TOO_MUCH "callers hold too much: try again later"
