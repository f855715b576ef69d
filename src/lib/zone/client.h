/* Calls the zone: signs calls with the host's key, sends them to the zone host that responded last, and
 * moves to the next host if that one cannot serve.
 *
 * A host that is not the leader says so; then the client moves to the next host and stays with one that
 * responds properly. The client does not repeat calls: each call goes to one host, and if it fails and
 * another host may succeed, the next call goes to the next host. */
#pragma once

#include "lib/grpc/client.h"

struct zone_client;
struct zone_request;

struct zone_client_options { /* Borrowed during the call of zone_client_new(), which copies it. */
    /* "ADDRESS:PORT"; a host without a port gets 'port'. */
    char *const *hosts;
    size_t n_hosts;
    const char *first; /* the host to begin with; NULL: the first one */
    uint16_t port;
    const char *access_key;        /* "ak_ID_SECRET"; NULL: calls are not signed */
    struct grpc_tls_settings *tls; /* borrowed while the client exists; NULL: plaintext */
};

/* Creates a client. Returns −EINVAL (refused) without a host, and an error for a malformed host or key. */
int zone_client_new(sd_event *event, const struct zone_client_options *options, struct zone_client **ret,
                    struct error *e);
/* Cancels all requests and frees the client. A callback must not call it. NULL is accepted. */
void zone_client_free(struct zone_client *client);

/* Moves to the next host: the current one responded, but the response was wrong in a way that only the
 * caller can detect. */
void zone_client_move_on(struct zone_client *client);
/* Returns the host that is called now (borrowed). */
const char *zone_client_host(const struct zone_client *client);

/* Receives the result of a call. 'answer' is unpacked and borrowed; it is NULL if 'e' is set, whose
 * message names host and call:
 *   RETRY      no response, a host that is not the leader or not ready, a zone with a fault
 *   NOT_FOUND  the package or chunk does not exist
 *   FAILED     the zone refuses this host (its key, its clock), or the response is invalid
 * Called once, from the event loop, unless the request is cancelled. */
typedef void (*zone_answer_fn)(const ProtobufCMessage *answer, const struct error *e, void *userdata);

/* Receives the response without unpacking; its fields are checked to be complete. The function owns 'data'
 * and frees it. */
typedef void (*zone_bytes_fn)(uint8_t *data, size_t size, const struct error *e, void *userdata);

struct zone_ask {
    const char *path; /* "/inapi.ZoneService/PackageList" */
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *answer;
    size_t memory_max; /* limit of the unpacked response in bytes */
    uint64_t timeout_usec;
    zone_answer_fn on_answer; /* unless on_bytes is set */
    zone_bytes_fn on_bytes;   /* receives the response without unpacking */
    void *userdata;
};

struct zone_request *zone_call(struct zone_client *client, const struct zone_ask *ask);
void zone_request_cancel(struct zone_request *request); /* NULL is accepted */
