/* A gRPC client on the event loop: one peer, calls multiplexed over a connection that is made when a call
 * needs one.
 *
 * Each call ends in exactly one on_done, called from the loop, unless it is cancelled. Callbacks may start
 * and cancel any call; none is called from within grpc_call_start(). When the connection is lost its calls
 * fail, and the next call makes a new one: pauses between tries are the caller's. After a GOAWAY new calls
 * take a new connection, and a call that the peer says it has not begun is sent again on it, once. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/grpc/message.h"
#include "lib/grpc/wire.h"

struct grpc_client;
struct grpc_request;
struct grpc_tls_settings;

struct grpc_client_options { /* 0: what stands in brackets */
    const char *address;     /* "192.0.2.1:9533", "[2001:db8::1]:9533", "name:9533" (looked up by a thread) */
    const char *source;      /* address to connect from, numeric; NULL: the system's choice */
    struct grpc_tls_settings *tls; /* borrowed; NULL: plaintext */
    size_t message_max;            /* of one answer [24 MiB] */
    uint64_t connect_timeout_usec; /* until HTTP/2 is spoken [5 s] */
    uint64_t keepalive_usec;       /* silence while calls are open [30 s]; the answer has 10 s */
    uint64_t idle_timeout_usec;    /* [5 min] */
};

struct grpc_result {
    int status;          /* enum grpc_status */
    const char *text;    /* of the peer, or why there was no answer; never NULL */
    struct error error;  /* the same with a class: what a caller can do. errnum 0 when the status is OK */
    const uint8_t *data; /* of a call with one answer: the message's bytes, unscanned; NULL when not OK */
    size_t size;
    bool answered; /* the status is the peer's own word */
};

typedef void (*grpc_done_fn)(struct grpc_request *request, const struct grpc_result *result, void *userdata);
/* Of a stream: one message. Negative ends the call, with status CANCELLED. */
typedef int (*grpc_data_fn)(struct grpc_request *request, const uint8_t *data, size_t size, void *userdata);

struct grpc_header {
    const char *name, *value; /* never put into the compression's table: they may be secrets */
};

struct grpc_ask {
    const char *path; /* "/inapi.ZoneService/Ping" */
    const ProtobufCMessage *message;
    const struct grpc_header *headers;
    size_t n_headers;
    uint64_t timeout_usec; /* the whole call, connecting included; sent to the peer as well; 0: none */
    grpc_data_fn on_data;  /* NULL: the answer is one message, handed to on_done */
    grpc_done_fn on_done;
    void *userdata;
};

/* Refused when the address has not the form of one. */
int grpc_client_new(sd_event *event, const struct grpc_client_options *options, struct grpc_client **ret,
                    struct error *e);
/* Cancels what is under way. Never from within a callback. NULL is fine. */
void grpc_client_free(struct grpc_client *client);

/* Drops the connection once its calls are over: the next call makes a new one. */
void grpc_client_renew(struct grpc_client *client);

/* Lists. */
void request_link(struct grpc_request *q, struct grpc_request **list);
void request_unlink(struct grpc_request *q);
void client_kick(struct grpc_client *client);
