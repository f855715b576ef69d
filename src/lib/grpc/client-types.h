/* Declares what client.c (connections) and request.c (calls) share. */
#pragma once

#include "lib/grpc/client.h"
#include "lib/grpc/connection.h"
#include "lib/grpc/frames.h"
#include "lib/grpc/output.h"
#include "lib/grpc/resolve.h"
#include "lib/loop/timer.h"

struct grpc_client {
    sd_event *event;
    struct grpc_client_options options; /* the client owns the strings */
    char *address, *host;
    uint16_t port;
    struct grpc_connection *connections; /* newest first; the others are draining */
    struct grpc_request *waiting;        /* calls without a connection, oldest first */
    sd_event_source *work;
    struct grpc_resolve *resolve;
    char *failure; /* why the connection for which calls wait was not established */
    bool freeing;
};

struct grpc_request {
    struct grpc_client *client;
    struct grpc_connection *connection; /* NULL: waits for a connection */
    struct grpc_request *next, *previous;
    int32_t stream;
    char *path;
    struct grpc_header *headers;
    size_t n_headers;
    /* With its frame header. It is kept, because it may have to be sent again. */
    uint8_t *message;
    size_t message_size, sent;
    uint64_t began, deadline; /* monotonic µs; UINT64_MAX: none */
    struct timer timer;
    bool again;      /* was sent a second time already */
    bool delivering; /* on_data is running */
    bool finished;   /* on_done is running or has run */
    grpc_data_fn on_data;
    grpc_done_fn on_done;
    void *userdata;
    /* the response */
    struct grpc_frames frames;
    uint8_t *answer;
    size_t answer_size, header_bytes;
    unsigned http_status;
    int status; /* −1: none was received */
    char *text;
    bool right_type, ended;
    struct error failure; /* found by the client, such as a message that is too large */
};
