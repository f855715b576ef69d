/* Implements client.h. */
#include "lib/zone/client.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/request.h"
#include "lib/inapi/token.h"

/* One zone host. Its connection is made at the first call; a connection to a host that is no longer called
 * closes when it is idle. */
struct zone_host {
    char *address;
    struct grpc_client *grpc;
};

struct zone_client {
    sd_event *event;
    struct zone_host *hosts;
    size_t n_hosts, at;
    /* how often the client has moved to another host: calls that failed together move it once */
    unsigned turns;
    struct access_key key;
    bool has_key;
    struct grpc_tls_settings *tls;
    struct zone_request *requests;
};

struct zone_request {
    struct zone_client *client;
    struct zone_request *next, **at; /* 'at': the pointer to this request */
    struct grpc_request *grpc;
    size_t host;
    unsigned turn;
    struct zone_ask ask; /* 'message' is not kept */
};

/* The errors of a zone host about itself or about this host, in the words of contract sections 1 and 13. */
static const struct {
    const char *words;
    enum error_class class;
    bool another; /* another host may succeed */
} sayings[] = {
    {"zonelet leader", ERROR_RETRY, true},
    {"package not found", ERROR_NOT_FOUND, false},
    {"package is not ready", ERROR_RETRY, false},
    {"chunk", ERROR_NOT_FOUND, false},
    {"auth", ERROR_FAILED, true},
    {"access-token", ERROR_FAILED, true},
    {"access-key", ERROR_FAILED, true},
    {"invalid host_id", ERROR_FAILED, false},
};

static char *with_port(const char *host, uint16_t port)
{
    const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
    bool has_port = bracket ? colon && colon > bracket : colon && strchr(host, ':') == colon;
    bool six = !has_port && !bracket && colon;
    return has_port ? xstrdup(host) : xasprintf("%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", port);
}

static int connect_host(struct zone_client *c, struct zone_host *host, struct error *e)
{
    if (host->grpc)
        return 0;
    const struct grpc_client_options options = {.address = host->address, .tls = c->tls};
    return grpc_client_new(c->event, &options, &host->grpc, e);
}

int zone_client_new(sd_event *event, const struct zone_client_options *options, struct zone_client **ret,
                    struct error *e)
{
    if (options->n_hosts == 0)
        return error_refuse(e, EINVAL, "no zone host is known");
    struct zone_client *c = xcalloc(1, sizeof *c);
    *c = (struct zone_client){.event = sd_event_ref(event),
                              .hosts = xcalloc(options->n_hosts, sizeof *c->hosts),
                              .n_hosts = options->n_hosts,
                              .tls = options->tls};
    int r = 0;
    for (size_t i = 0; i < c->n_hosts; i++)
        c->hosts[i].address = with_port(options->hosts[i], options->port);
    for (size_t i = 0; r >= 0 && i < c->n_hosts; i++) {
        if (options->first &&
            (streq(options->hosts[i], options->first) || streq(c->hosts[i].address, options->first)))
            c->at = i;
        r = connect_host(c, &c->hosts[i], e);
    }
    if (r >= 0 && options->access_key) {
        r = access_key_parse(options->access_key, &c->key, e);
        c->has_key = r >= 0;
    }
    if (r < 0) {
        zone_client_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void zone_client_free(struct zone_client *c)
{
    if (!c)
        return;
    while (c->requests)
        zone_request_cancel(c->requests);
    for (size_t i = 0; i < c->n_hosts; i++) {
        grpc_client_free(c->hosts[i].grpc);
        free(c->hosts[i].address);
    }
    free(c->hosts);
    access_key_done(&c->key);
    sd_event_unref(c->event);
    free(c);
}

const char *zone_client_host(const struct zone_client *c)
{
    return c->hosts[c->at].address;
}

static void request_free(struct zone_request *r)
{
    *r->at = r->next;
    if (r->next)
        r->next->at = r->at;
    free(r);
}

void zone_request_cancel(struct zone_request *r)
{
    if (!r)
        return;
    grpc_request_cancel(r->grpc);
    request_free(r);
}

void zone_client_move_on(struct zone_client *c)
{
    c->turns++;
    c->at = (c->at + 1) % c->n_hosts;
}

static void move_on(struct zone_client *c, const struct zone_request *r)
{
    if (r->turn == c->turns) /* otherwise a call that failed at the same time has moved it */
        zone_client_move_on(c);
}

/* Sets the error of a failed call, and moves the client to another host where that may succeed. */
static void explain(struct zone_request *r, const struct grpc_result *result, struct error *e)
{
    struct zone_client *c = r->client;
    /* True also for an unknown answer: the host may no longer belong to the zone. */
    bool another = true;
    *e = result->error;
    for (size_t i = 0; result->answered && i < ARRAY_SIZE(sayings); i++)
        if (strstr(result->text, sayings[i].words)) {
            e->class = sayings[i].class;
            another = sayings[i].another;
            break;
        }
    if (another)
        move_on(c, r);
    /* A token is valid for a minute: if the zone calls a new one expired, one of the two clocks is wrong. */
    bool clock = result->answered &&
                 (strstr(result->text, "access-token expired") || strstr(result->text, "iat expired"));
    error_set(e, e->class, e->errnum ?: EPROTO, "%s: %s: %s%s", c->hosts[r->host].address,
              strrchr(r->ask.path, '/') + 1, result->text,
              clock ? " (this machine's clock and the zone's differ by more than a token's life of a minute)"
                    : "");
}

/* Unpacks a response, or checks one that is passed on without unpacking. */
static int judge(const struct zone_request *r, const struct grpc_result *result, ProtobufCMessage **ret,
                 struct error *e)
{
    if (!r->ask.on_bytes)
        return grpc_message_unpack(r->ask.answer, result->data, result->size, r->ask.memory_max, ret, e);
    return grpc_message_is_whole(result->data, result->size) ? 0
                                                             : error_refuse(e, EBADMSG, "it is malformed");
}

static void on_done(struct grpc_request *grpc, const struct grpc_result *result, void *userdata)
{
    struct zone_request *r = userdata;
    struct zone_client *c = r->client;
    struct error e = ERROR_INIT;
    ProtobufCMessage *answer = NULL;
    if (result->status != GRPC_OK) {
        explain(r, result, &e);
    } else if (judge(r, result, &answer, &e) < 0) {
        error_prefix(&e, "%s: %s: invalid response", c->hosts[r->host].address,
                     strrchr(r->ask.path, '/') + 1);
        e.class = ERROR_FAILED;
        move_on(c, r);
    }
    if (r->ask.on_bytes)
        r->ask.on_bytes(e.errnum ? NULL : grpc_request_take_answer(grpc), result->size, e.errnum ? &e : NULL,
                        r->ask.userdata);
    else
        r->ask.on_answer(answer, e.errnum ? &e : NULL, r->ask.userdata);
    grpc_message_free(answer);
    request_free(r);
}

struct zone_request *zone_call(struct zone_client *c, const struct zone_ask *ask)
{
    struct zone_request *r = xcalloc(1, sizeof *r);
    *r = (struct zone_request){
        .client = c, .next = c->requests, .at = &c->requests, .host = c->at, .turn = c->turns, .ask = *ask};
    if (r->next)
        r->next->at = &r->next;
    c->requests = r;
    _cleanup_free_ char *token = NULL;
    if (c->has_key)
        token = token_sign_own(&c->key, now_realtime_msec() / 1000);
    const struct grpc_header header = {INAPI_TOKEN_METADATA, token};
    const struct grpc_ask call = {.path = ask->path,
                                  .message = ask->message,
                                  .headers = &header,
                                  .n_headers = token ? 1 : 0,
                                  .timeout_usec = ask->timeout_usec,
                                  .on_done = on_done,
                                  .userdata = r};
    r->grpc = grpc_call_start(c->hosts[c->at].grpc, &call);
    r->ask.message = NULL;
    return r;
}
