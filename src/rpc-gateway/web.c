/* Implements web.h. */
#include "rpc-gateway/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "rpc-gateway/agent_report.h"
#include "rpc-gateway/http_request.h"

#define REPORT_TIMEOUT_USEC (3 * USEC_PER_SEC) /* as long as an agent waits */
#define SECRET_MAX          256

struct web {
    struct web_parts parts;
    struct peer_networks metrics_allow;
    struct http_server *http;
    struct metrics *metrics;
};

/* A report that was passed to the reconciler. */
struct report {
    struct http_request *request;
    struct call *call;
};

static void answer_text(struct http_request *request, unsigned status, const char *text)
{
    http_answer(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* --- reports of agents --- */

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

static void on_report(struct http_request *request, void *userdata)
{
    struct web *w = userdata;
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
    if (may_be_secret(secret)) {
        struct report *r = xcalloc(1, sizeof *r);
        in.secret = xstrdup(secret);
        r->request = request;
        http_request_on_gone(request, on_report_gone, r);
        r->call = call_start(w->parts.caller, &call_reconciler, "AgentReport", &in, false,
                             REPORT_TIMEOUT_USEC, on_report_answer, r);
    } else {
        http_answer_json(request, 401, "{\"error\":\"unauthorized\"}");
    }
    agent_report_done(&in);
}

/* --- metrics and health --- */

static void on_metrics(struct http_request *request, void *userdata)
{
    struct web *w = userdata;
    if (!peer_is_in(http_request_peer(request), &w->metrics_allow))
        answer_text(request, 403,
                    "this address is not allowed: see metrics_allow in section [zone] of hostlet.conf\n");
    else
        metrics_answer(w->metrics, request);
}

static void on_healthz(struct http_request *request, void *userdata)
{
    (void)userdata;
    answer_text(request, 200, "ok\n");
}

static void on_readyz(struct http_request *request, void *userdata)
{
    const struct web *w = userdata;
    if (instances_complete(w->parts.instances))
        answer_text(request, 200, "ready\n");
    else
        answer_text(request, 503, "not ready: the reconciler does not answer\n");
}

static const struct http_route routes[] = {
    {"/in/api/v2/hostlet/inagent/status", true, true, AGENT_REPORT_MAX, on_report},
    {"/metrics", false, false, 0, on_metrics},
    {"/healthz", false, false, 0, on_healthz},
    {"/readyz", false, false, 0, on_readyz},
    {.path = NULL},
};

static void on_done(const char *path, unsigned status, uint64_t usec, void *userdata)
{
    struct web *w = userdata;
    char outcome[16] = "gone";
    if (status > 0)
        (void)snprintf(outcome, sizeof outcome, "%u", status);
    call_stats_add(w->parts.calls, "http", "rpc-gateway", path, outcome, usec);
}

static int parse_allowed(const char *text, struct peer_networks *ret, struct error *e)
{
    return peer_networks_parse(text, ret, e) < 0 ? error_prefix(e, "[zone] metrics_allow") : 0;
}

int web_check(const char *metrics_allow, struct error *e)
{
    struct peer_networks networks = {.items = NULL};
    int r = parse_allowed(metrics_allow, &networks, e);
    peer_networks_done(&networks);
    return r;
}

int web_new(sd_event *event, const struct web_parts *parts, struct web **ret, struct error *e)
{
    struct web *w = xcalloc(1, sizeof *w);
    const struct http_options options = {
        .listen_fd = parts->listen_fd, .routes = routes, .on_done = on_done, .userdata = w};
    const struct metrics_parts metrics = {.caller = parts->caller,
                                          .instances = parts->instances,
                                          .calls = parts->calls,
                                          .stages = parts->stages,
                                          .http = &w->http,
                                          .host = parts->host};
    w->parts = *parts;
    int r = parse_allowed(parts->metrics_allow, &w->metrics_allow, e);
    if (r >= 0) {
        w->metrics = metrics_new(&metrics);
        r = http_server_new(event, &options, &w->http, e);
    }
    if (r < 0) {
        web_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void web_free(struct web *w)
{
    if (!w)
        return;
    http_server_free(w->http); /* first, because its requests use the other parts */
    metrics_free(w->metrics);
    peer_networks_done(&w->metrics_allow);
    free(w);
}
