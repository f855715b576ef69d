/* /metrics: collecting; see metrics.h. */
#include "rpc-gateway/metrics.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "rpc-gateway/metrics_text.h"
#include "rpc-gateway/openmetrics.h"

#define FRESH_USEC   (1 * USEC_PER_SEC)
#define TIMEOUT_USEC (2 * USEC_PER_SEC)

/* A request that waits for the collection. */
struct waiting {
    struct metrics *metrics;
    struct waiting *next;
    struct http_request *request;
};

struct metrics {
    struct metrics_parts parts;
    struct waiting *waiting;
    struct call *services_call;
    struct supervisor_service **services; /* that were told so far */
    size_t n_services;
    char *text; /* NULL: none yet */
    size_t size;
    uint64_t made;
};

static void drop_services(struct metrics *m)
{
    for (size_t i = 0; i < m->n_services; i++)
        schema_free(&supervisor_service_schema, m->services[i]);
    free(m->services);
    m->services = NULL;
    m->n_services = 0;
}

static void make_text(struct metrics *m)
{
    struct host_status host;
    host_status_read(m->parts.host, &host);
    struct metrics_sources sources = {
        .services = m->services,
        .n_services = m->n_services,
        .instances_known = instances_complete(m->parts.instances),
        .host = &host,
        .calls = m->parts.calls,
        .stages = m->parts.stages,
        .http = http_server_counts(*m->parts.http),
    };
    sources.instances = instances_list(m->parts.instances, &sources.n_instances);
    free(m->text);
    m->text = metrics_text(&sources, &m->size);
    m->made = now_monotonic_usec();
}

static void collected(struct metrics *m)
{
    make_text(m);
    drop_services(m);
    while (m->waiting) {
        struct waiting *w = m->waiting;
        m->waiting = w->next;
        http_answer(w->request, 200, OPENMETRICS_TYPE, m->text, m->size);
        free(w);
    }
}

static void on_services(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct metrics *m = userdata;
    if (e)
        drop_services(m);
    else if (((const struct supervisor_list_out *)out)->service)
        schema_copy(&supervisor_service_schema, ((const struct supervisor_list_out *)out)->service,
                    schema_append(&m->services, &m->n_services, sizeof(struct supervisor_service)));
    if (continues)
        return;
    m->services_call = NULL;
    collected(m);
}

static void on_gone(void *pending)
{
    struct waiting *gone = pending;
    for (struct waiting **at = &gone->metrics->waiting; *at; at = &(*at)->next)
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    free(gone);
}

void metrics_answer(struct metrics *m, struct http_request *request)
{
    if (m->text && now_monotonic_usec() - m->made < FRESH_USEC) {
        http_answer(request, 200, OPENMETRICS_TYPE, m->text, m->size);
        return;
    }
    struct waiting *w = xcalloc(1, sizeof *w);
    *w = (struct waiting){.metrics = m, .next = m->waiting, .request = request};
    m->waiting = w;
    http_request_on_gone(request, on_gone, w);
    if (!m->services_call)
        m->services_call =
            call_start(m->parts.caller, &call_supervisor, "List", NULL, true, TIMEOUT_USEC, on_services, m);
}

struct metrics *metrics_new(const struct metrics_parts *parts)
{
    struct metrics *m = xcalloc(1, sizeof *m);
    m->parts = *parts;
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    call_cancel(m->services_call);
    drop_services(m);
    free(m->text);
    free(m);
}
