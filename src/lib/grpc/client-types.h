/* What client.c (connections) and request.c (calls) share. */
#pragma once

#include "lib/grpc/client.h"
#include "lib/grpc/connection.h"
#include "lib/grpc/frames.h"
#include "lib/grpc/output.h"
#include "lib/grpc/resolve.h"
#include "lib/loop/timer.h"

struct grpc_client {
    sd_event *event;
    struct grpc_client_options options; /* strings are ours */
    char *address, *host;
    uint16_t port;
    struct grpc_connection *connections; /* the newest first: those behind it are draining */
    struct grpc_request *waiting;        /* of no connection, oldest first */
    sd_event_source *work;
    struct grpc_resolve *resolve;
    char *failure; /* why the connection that waiting calls hoped for did not come about */
    bool freeing;
};

struct grpc_request {
    struct grpc_client *client;
    struct grpc_connection *connection; /* NULL: waits */
    struct grpc_request *next, *previous;
    int32_t stream;
    char *path;
    struct grpc_header *headers;
    size_t n_headers;
    uint8_t *message; /* with its frame header: kept, since it may have to be sent again */
    size_t message_size, sent;
    uint64_t began, deadline; /* monotonic µs; UINT64_MAX: none */
    struct timer timer;
    bool again;      /* sent a second time already */
    bool delivering; /* on_data is on the stack */
    bool finished;   /* on_done is */
    grpc_data_fn on_data;
    grpc_done_fn on_done;
    void *userdata;
    /* The answer */
    struct grpc_frames frames;
    uint8_t *answer;
    size_t answer_size, header_bytes;
    unsigned http_status;
    int status; /* −1: none came */
    char *text;
    bool right_type, ended;
    struct error failure; /* of ours: a message that is too large… */
};
