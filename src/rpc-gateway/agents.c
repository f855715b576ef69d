/* Implements agents.h. */
#include "rpc-gateway/agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "rpc-gateway/agent_peer.h"
#include "rpc-gateway/agent_report.h"
#include "rpc-gateway/http_request.h"

#define REPORT_TIMEOUT_USEC (3 * USEC_PER_SEC) /* as long as an agent waits */
#define SECRET_MAX          256
/* Reports that a replica may make per second, and at once. inagent makes one per second. */
#define REPLICA_RATE  2.0
#define REPLICA_BURST 30.0
/* The limits of one container at the socket, before its secret is known. */
#define CONTAINER_CONNECTIONS 4
#define CONTAINER_RATE        5.0
#define CONTAINER_BURST       50.0
/* Connections that are accepted per second, of all containers, and at once. The others wait in the order in
 * which they came: a container that connects without end takes a part of one processor, and delays the
 * others by the time that its backlog takes. */
#define ACCEPT_RATE  4000.0
#define ACCEPT_BURST 512.0

struct agents {
    const struct caller *caller;
    struct call_stats *calls;
    struct http_server *http;
    struct peer_rate rate; /* of replicas; an agent that has not shown the secret takes nothing from it */
    uint64_t seen;         /* accepted connections at the last call of agents_are_active() */
};

/* A report that was passed to the reconciler. */
struct report {
    struct agents *agents;
    struct http_request *request;
    struct peer replica; /* whose rate it counts for */
    struct call *call;
};

/* Returns what the rate of the replica is stored by: the place of an address. */
static struct peer origin_of_replica(const struct reconciler_report_in *in)
{
    struct peer replica;
    _cleanup_free_ char *name = xasprintf("%s/%lld", in->instance_name, (long long)in->replica_id);
    agent_peer_of_text(name, &replica);
    return replica;
}

static void answer_report(struct http_request *request, const struct error *e)
{
    if (!e)
        http_answer_json(request, 200, "{\"ok\":\"true\"}");
    else if (e->class == ERROR_UNAUTHORIZED || e->class == ERROR_NOT_FOUND)
        http_answer_json(request, 401, "{\"error\":\"unauthorized\"}");
    else if (e->class == ERROR_REFUSED)
        http_answer_json(request, 400, "{\"error\":\"bad request\"}");
    else
        http_answer_json(request, 503, "{\"error\":\"not available\"}");
}

static void on_report_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct report *r = userdata;
    struct error failure = ERROR_INIT;
    if (failpoint("report.judged") < 0) {
        error_fail(&failure, EIO, "the test wants it");
        e = &failure;
    }
    if (!e) /* it has shown the secret: nobody else can use up what this replica may report */
        (void)peer_rate_take(&r->agents->rate, &r->replica, now_monotonic_usec());
    answer_report(r->request, e);
    free(r);
}

static void on_report_gone(void *pending)
{
    struct report *r = pending;
    call_cancel(r->call);
    free(r);
}

/* Reports whether a header's value can be a secret: 1 to SECRET_MAX characters of printable ASCII without
 * spaces. JSON can carry all of these. */
static bool may_be_secret(const char *text)
{
    size_t n = 0;
    for (; text && text[n]; n++)
        if (n == SECRET_MAX || text[n] <= ' ' || text[n] > '~')
            return false;
    return n > 0;
}

void agents_take_report(struct agents *a, struct http_request *request)
{
    size_t size;
    const char *body = http_request_body(request, &size);
    const char *secret = http_request_header(request, "X-Secret-Key");
    struct reconciler_report_in in;
    switch (agent_report_parse(body, size, &in)) {
    case AGENT_REPORT_BAD:
        http_answer_json(request, 400, "{\"error\":\"bad request\"}");
        return;
    case AGENT_REPORT_NAMELESS:
        http_answer_json(request, 400, "{\"error\":\"instance_name required\"}");
        return;
    case AGENT_REPORT_OK:
        break;
    }
    if (failpoint("report.received") < 0)
        secret = NULL;
    const struct peer replica = origin_of_replica(&in);
    if (may_be_secret(secret) && !peer_rate_allows(&a->rate, &replica, now_monotonic_usec())) {
        http_answer_json(request, 503, "{\"error\":\"not available\"}");
    } else if (may_be_secret(secret)) {
        struct report *r = xcalloc(1, sizeof *r);
        in.secret = xstrdup(secret);
        *r = (struct report){.agents = a, .request = request, .replica = replica};
        http_request_on_gone(request, on_report_gone, r);
        r->call = call_start(a->caller, &call_reconciler, "AgentReport", &in, false, REPORT_TIMEOUT_USEC,
                             on_report_answer, r);
    } else {
        http_answer_json(request, 401, "{\"error\":\"unauthorized\"}");
    }
    agent_report_done(&in);
}

static void on_report(struct http_request *request, void *userdata)
{
    agents_take_report(userdata, request);
}

static const struct http_route routes[] = {
    {AGENTS_PATH, true, true, AGENT_REPORT_MAX, on_report},
    {.path = NULL},
};

static void on_done(const char *path, unsigned status, uint64_t usec, void *userdata)
{
    struct agents *a = userdata;
    char outcome[16] = "gone";
    if (status > 0)
        (void)snprintf(outcome, sizeof outcome, "%u", status);
    call_stats_add(a->calls, "http", "agents", path, outcome, usec);
}

int agents_new(const struct caller *caller, struct call_stats *calls, int listen_fd, struct agents **ret,
               struct error *e)
{
    struct agents *a = xcalloc(1, sizeof *a);
    *a = (struct agents){.caller = caller, .calls = calls};
    peer_rate_init(&a->rate, REPLICA_RATE, REPLICA_BURST);
    const struct http_options options = {.listen_fd = listen_fd,
                                         .routes = routes,
                                         .on_done = on_done,
                                         .userdata = a,
                                         .identify = agent_peer_of,
                                         .limits = {.of_peer = CONTAINER_CONNECTIONS,
                                                    .rate = CONTAINER_RATE,
                                                    .burst = CONTAINER_BURST,
                                                    .accept_rate = ACCEPT_RATE,
                                                    .accept_burst = ACCEPT_BURST}};
    int r = http_server_new(caller->event, &options, &a->http, e);
    if (r < 0) {
        free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void agents_free(struct agents *a)
{
    if (!a)
        return;
    http_server_free(a->http);
    free(a);
}

int agents_move(struct agents *a, int listen_fd, struct error *e)
{
    return http_server_move(a->http, listen_fd, e);
}

bool agents_are_active(struct agents *a)
{
    const struct http_counts *counts = http_server_counts(a->http);
    uint64_t before = a->seen;
    a->seen = counts->accepted;
    return counts->connections > 0 || counts->accepted != before;
}

const struct http_counts *agents_counts(const struct agents *a)
{
    return http_server_counts(a->http);
}
