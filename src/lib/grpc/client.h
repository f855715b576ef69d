/* A gRPC client on the event loop, for one peer. Calls are multiplexed over a connection that is established
 * when a call needs it.
 *
 * Each call ends with exactly one on_done, called from the loop, unless it is cancelled. Callbacks may start
 * and cancel any call; grpc_call_start() itself calls none. When the connection is lost, its calls fail, and
 * the next call establishes a new one: the caller is responsible for pauses between attempts. After a GOAWAY,
 * new calls use a new connection. A call that the peer reports as not processed is sent again, once. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/grpc/message.h"
#include "lib/grpc/wire.h"

struct grpc_client;
struct grpc_request;
struct grpc_tls_settings;

/* 0 means the value in brackets */
struct grpc_client_options {
    /* "192.0.2.1:9533", "[2001:db8::1]:9533", or "name:9533", which a thread looks up */
    const char *address;
    const char *source;            /* numeric address to connect from; NULL: the system's choice */
    struct grpc_tls_settings *tls; /* borrowed; NULL: plaintext */
    size_t message_max;            /* of one response [24 MiB] */
    uint64_t connect_timeout_usec; /* until the HTTP/2 settings of the peer are received [5 s] */
    /* Time without data from the peer during calls, after which it is sent a ping [30 s]. It has 10 s to
     * reply. */
    uint64_t keepalive_usec;
    uint64_t idle_timeout_usec; /* [5 min] */
};

struct grpc_result {
    int status;       /* enum grpc_status */
    const char *text; /* from the peer, or why there is no response; never NULL */
    /* The same with an error class, which tells the caller how to react. errnum is 0 if the status is OK. */
    struct error error;
    /* The message of a call with one response: raw bytes, not scanned. NULL if the status is not OK. */
    const uint8_t *data;
    size_t size;
    bool answered; /* the status was sent by the peer */
};

typedef void (*grpc_done_fn)(struct grpc_request *request, const struct grpc_result *result, void *userdata);
/* Receives one message of a stream. A negative return value ends the call with status CANCELLED. */
typedef int (*grpc_data_fn)(struct grpc_request *request, const uint8_t *data, size_t size, void *userdata);

struct grpc_header {
    const char *name, *value; /* never added to the compression table, because they may be secrets */
};

struct grpc_ask {
    const char *path; /* "/inapi.ZoneService/Ping" */
    const ProtobufCMessage *message;
    const struct grpc_header *headers;
    size_t n_headers;
    /* Of the whole call, including the connection. It is also sent to the peer. 0: none. */
    uint64_t timeout_usec;
    /* NULL: the response is one message, which on_done gets. */
    grpc_data_fn on_data;
    grpc_done_fn on_done;
    void *userdata;
};

/* Creates a client. Returns 0, or −EINVAL (refused) if the address is malformed, or a negative errno. */
int grpc_client_new(sd_event *event, const struct grpc_client_options *options, struct grpc_client **ret,
                    struct error *e);
/* Cancels all calls and frees the client. Must not be called from a callback. 'client' may be NULL. */
void grpc_client_free(struct grpc_client *client);

/* Ends the connection when its calls have ended. The next call establishes a new one. */
void grpc_client_renew(struct grpc_client *client);

/* lists of requests */
void request_link(struct grpc_request *q, struct grpc_request **list);
void request_unlink(struct grpc_request *q);
void client_kick(struct grpc_client *client);
