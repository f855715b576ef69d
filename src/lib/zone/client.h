/* Calls to the zone: signed with the host's key, to the zone host that answered last, and to the next one
 * when that one cannot serve.
 *
 * A follower says that it is not the leader; the next host is asked, and kept where it answers. Repeating a
 * call is the caller's: each call goes to one host, and its failure has moved the client on where another
 * host may do better. */
#pragma once

#include "lib/grpc/client.h"

struct zone_client;
struct zone_request;

struct zone_client_options { /* borrowed for the call, copied */
    char *const *hosts;      /* "ADDRESS:PORT"; a host without a port gets 'port' */
    size_t n_hosts;
    const char *first; /* the one to begin with; NULL: the first of them */
    uint16_t port;
    const char *access_key;        /* "ak_ID_SECRET"; NULL: calls are not signed */
    struct grpc_tls_settings *tls; /* borrowed as long as the client lives; NULL: plaintext */
};

/* Refused without a host, and for a malformed host or key. */
int zone_client_new(sd_event *event, const struct zone_client_options *options, struct zone_client **ret,
                    struct error *e);
/* Cancels what is under way. Never from within a callback. NULL is fine. */
void zone_client_free(struct zone_client *client);

/* Asks the next host from now on: this one answered, and its answer was wrong in a way that only a caller
 * sees. */
void zone_client_move_on(struct zone_client *client);
/* The host that is asked now. */
const char *zone_client_host(const struct zone_client *client);

/* 'answer' is unpacked and borrowed, NULL where 'e' says what went wrong, naming host and call:
 *   RETRY      no answer, a host that is not the leader or not ready, a zone in trouble
 *   NOT_FOUND  the package, the chunk is not there
 *   FAILED     the zone refuses us (our key, our clock), or talks nonsense
 * Called once, from the loop, unless cancelled. */
typedef void (*zone_answer_fn)(const ProtobufCMessage *answer, const struct error *e, void *userdata);

/* The same for an answer as it came, a whole number of fields: 'data' is the callee's, who frees. */
typedef void (*zone_bytes_fn)(uint8_t *data, size_t size, const struct error *e, void *userdata);

struct zone_ask {
    const char *path; /* "/inapi.ZoneService/PackageList" */
    const ProtobufCMessage *message;
    const ProtobufCMessageDescriptor *answer;
    size_t memory_max; /* of the unpacked answer, bytes */
    uint64_t timeout_usec;
    zone_answer_fn on_answer; /* or … */
    zone_bytes_fn on_bytes;   /* … this: nothing is unpacked */
    void *userdata;
};

struct zone_request *zone_call(struct zone_client *client, const struct zone_ask *ask);
void zone_request_cancel(struct zone_request *request); /* NULL is fine */
