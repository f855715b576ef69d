/* Implements web.h. */
#include "rpc-gateway/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "rpc-gateway/agent_report.h"
#include "rpc-gateway/http_request.h"

struct web {
    struct web_parts parts;
    struct peer_networks metrics_allow;
    struct http_server *http;
    struct metrics *metrics;
};

static void answer_text(struct http_request *request, unsigned status, const char *text)
{
    http_answer(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void on_report(struct http_request *request, void *userdata)
{
    const struct web *w = userdata;
    agents_take_report(w->parts.agents, request);
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
    {AGENTS_PATH, true, true, AGENT_REPORT_MAX, on_report},
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
