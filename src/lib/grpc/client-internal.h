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

/* request.c; the hooks of a client's connections that concern streams. */
int request_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
void request_headers(void *stream, bool end);
ssize_t request_data(void *stream, const uint8_t *data, size_t size);
void request_end(void *stream);
void request_sent_end(void *stream);
void request_closed(void *stream, uint32_t code);
/* Sends it on a connection. */
void request_submit(struct grpc_request *q, struct grpc_connection *c);
/* It was not begun: sent once more, on another connection where this one is draining. */
void request_send_again(struct grpc_request *q);
/* Ends it because its connection, or the hope for one, is gone. */
void request_lost(struct grpc_request *q, const char *why);

/* client.c: lists. */
void request_link(struct grpc_request *q, struct grpc_request **list);
void request_unlink(struct grpc_request *q);
void client_kick(struct grpc_client *client);
