/* What server.c (connections) and call.c (calls) share. */
#pragma once

#include "lib/grpc/connection.h"
#include "lib/grpc/frames.h"
#include "lib/grpc/output.h"
#include "lib/grpc/server.h"

#define SERVICES_MAX  8
#define LISTENERS_MAX 4
#define HEADERS_MAX   (16 * 1024) /* of one call, with 32 bytes for each beside its own */

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
    struct grpc_budget budget;
    bool paused, draining;
    sd_event_source *drained, *drain_timer;
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
    bool headers_done;
    const struct grpc_added *service;
    const struct grpc_method *method;
    sd_event_source *timer; /* until the request is here, the deadline, the answer is taken */
    uint64_t deadline;      /* monotonic µs; UINT64_MAX: none */
    /* The request */
    struct grpc_frames frames;
    uint8_t *request; /* the message of a method that takes one */
    size_t request_size, request_room;
    bool ended; /* by the caller: nothing more comes */
    /* The answer */
    struct grpc_output output;
    bool answered;  /* finally: the handler has it no longer */
    bool responded; /* headers went out */
    int status;
    char *text;
    void (*on_gone)(struct grpc_call *call, void *userdata);
    void *gone_userdata;
};

/* call.c */
void call_begin(struct grpc_connection *c, int32_t stream);
int call_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
void call_headers(void *stream, bool end);
int call_data(void *stream, const uint8_t *data, size_t size);
void call_end(void *stream);
void call_sent_end(void *stream);
void call_closed(void *stream, uint32_t code);
/* The server ends: what would not end by itself is ended. */
void call_drain(struct grpc_call *call);
/* Its connection is gone. */
void call_drop(struct grpc_call *call);
