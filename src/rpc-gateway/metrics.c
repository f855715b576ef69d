/* Implements metrics.h. */
#include "rpc-gateway/metrics.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "rpc-gateway/http_request.h"
#include "rpc-gateway/metrics_text.h"
#include "rpc-gateway/openmetrics.h"

#define FRESH_USEC   (1 * USEC_PER_SEC)
#define TIMEOUT_USEC (2 * USEC_PER_SEC)

/* A list that another process returns: one item per reply, as the reply's first member; a reply without an
 * item ends it. */
struct listing {
    struct metrics *metrics;
    const struct call_peer *peer;
    const struct schema_struct *schema;
    size_t size;
    struct call *call; /* while the call is in progress */
    void **items;
    size_t n;
    bool known; /* the list is complete */
};
static_assert(offsetof(struct supervisor_list_out, service) == 0, "see struct listing");
static_assert(offsetof(struct quota_list_out, quota) == 0, "see struct listing");

/* A request that waits for the collection. */
struct waiting {
    struct metrics *metrics;
    struct waiting *next;
    struct http_request *request;
};

struct metrics {
    struct metrics_parts parts;
    struct waiting *waiting;
    struct listing services, quotas;
    char *text; /* NULL: none yet */
    size_t size;
    uint64_t made;
};

static void listing_clear(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++)
        schema_free(l->schema, l->items[i]);
    free(l->items);
    l->items = NULL;
    l->n = 0;
    l->known = false;
}

static void make_text(struct metrics *m)
{
    struct host_status host;
    host_status_read(m->parts.host, &host);
    struct metrics_sources sources = {
        .services = (struct supervisor_service **)m->services.items,
        .n_services = m->services.n,
        .services_known = m->services.known,
        .quotas = (struct quota_values **)m->quotas.items,
        .n_quotas = m->quotas.n,
        .quotas_known = m->quotas.known,
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
    listing_clear(&m->services);
    listing_clear(&m->quotas);
    while (m->waiting) {
        struct waiting *w = m->waiting;
        m->waiting = w->next;
        http_answer(w->request, 200, OPENMETRICS_TYPE, m->text, m->size);
        free(w);
    }
}

static void on_listed(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct listing *l = userdata;
    const void *item = e ? NULL : *(const void *const *)out;
    if (item)
        schema_copy(l->schema, item, schema_append(&l->items, &l->n, l->size));
    if (continues)
        return;
    l->call = NULL;
    l->known = !e;
    if (!l->metrics->services.call && !l->metrics->quotas.call)
        collected(l->metrics);
}

static void listing_begin(struct listing *l)
{
    listing_clear(l);
    l->call = call_start(l->metrics->parts.caller, l->peer, "List", NULL, true, TIMEOUT_USEC, on_listed, l);
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
    if (m->services.call || m->quotas.call)
        return;
    listing_begin(&m->services);
    listing_begin(&m->quotas);
}

struct metrics *metrics_new(const struct metrics_parts *parts)
{
    struct metrics *m = xcalloc(1, sizeof *m);
    m->parts = *parts;
    m->services = (struct listing){.metrics = m,
                                   .peer = &call_supervisor,
                                   .schema = &supervisor_service_schema,
                                   .size = sizeof(struct supervisor_service)};
    m->quotas = (struct listing){.metrics = m,
                                 .peer = &call_quota,
                                 .schema = &quota_values_schema,
                                 .size = sizeof(struct quota_values)};
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    call_cancel(m->services.call);
    call_cancel(m->quotas.call);
    listing_clear(&m->services);
    listing_clear(&m->quotas);
    free(m->text);
    free(m);
}
