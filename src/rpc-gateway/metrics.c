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
/* A net-keeper that is being restarted must not delay the other figures. */
#define NETWORK_TIMEOUT_USEC (500 * USEC_PER_MSEC)

/* A list that another process returns: one item per reply, as the reply's first member; a reply without an
 * item ends it. */
struct listing {
    struct metrics *metrics;
    const struct call_peer *peer;
    const struct schema_struct *schema;
    size_t size;
    uint64_t timeout_usec;
    struct call *call; /* while the call is in progress */
    void **items;
    size_t n;
    bool known; /* the list is complete */
};
static_assert(offsetof(struct supervisor_list_out, service) == 0, "see struct listing");
static_assert(offsetof(struct quota_list_out, quota) == 0, "see struct listing");
static_assert(offsetof(struct net_list_out, host) == 0, "see struct listing");

/* A request that waits for the collection. */
struct waiting {
    struct metrics *metrics;
    struct waiting *next;
    struct http_request *request;
};

struct metrics {
    struct metrics_parts parts;
    struct waiting *waiting;
    struct listing services, quotas, hosts;
    struct call *network_call; /* while it is in progress */
    struct net_info_out network;
    bool network_known;
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
        .hosts = (struct net_host_state **)m->hosts.items,
        .n_hosts = m->hosts.n,
        .network = m->network_known && m->hosts.known && m->network.network ? &m->network : NULL,
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

static void network_clear(struct metrics *m)
{
    schema_done(varlink_find_method(&net_keeper_interface, "Info")->out, &m->network);
    m->network_known = false;
}

static void clear(struct metrics *m)
{
    listing_clear(&m->services);
    listing_clear(&m->quotas);
    listing_clear(&m->hosts);
    network_clear(m);
}

static bool is_collecting(const struct metrics *m)
{
    return m->services.call || m->quotas.call || m->hosts.call || m->network_call;
}

/* Responds to all requests when the last call has ended. */
static void collected(struct metrics *m)
{
    if (is_collecting(m))
        return;
    make_text(m);
    clear(m);
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
    collected(l->metrics);
}

static void listing_begin(struct listing *l)
{
    listing_clear(l);
    l->call =
        call_start(l->metrics->parts.caller, l->peer, "List", NULL, true, l->timeout_usec, on_listed, l);
}

static void on_network(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct metrics *m = userdata;
    m->network_call = NULL;
    m->network_known = !e;
    if (!e)
        schema_copy(varlink_find_method(&net_keeper_interface, "Info")->out, out, &m->network);
    collected(m);
}

static void network_begin(struct metrics *m)
{
    network_clear(m);
    m->network_call =
        call_start(m->parts.caller, &call_net, "Info", NULL, false, NETWORK_TIMEOUT_USEC, on_network, m);
    listing_begin(&m->hosts);
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
    if (is_collecting(m))
        return;
    listing_begin(&m->services);
    listing_begin(&m->quotas);
    network_begin(m);
}

struct metrics *metrics_new(const struct metrics_parts *parts)
{
    struct metrics *m = xcalloc(1, sizeof *m);
    m->parts = *parts;
    m->services = (struct listing){.metrics = m,
                                   .peer = &call_supervisor,
                                   .schema = &supervisor_service_schema,
                                   .size = sizeof(struct supervisor_service),
                                   .timeout_usec = TIMEOUT_USEC};
    m->quotas = (struct listing){.metrics = m,
                                 .peer = &call_quota,
                                 .schema = &quota_values_schema,
                                 .size = sizeof(struct quota_values),
                                 .timeout_usec = TIMEOUT_USEC};
    m->hosts = (struct listing){.metrics = m,
                                .peer = &call_net,
                                .schema = &net_host_state_schema,
                                .size = sizeof(struct net_host_state),
                                .timeout_usec = NETWORK_TIMEOUT_USEC};
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    call_cancel(m->services.call);
    call_cancel(m->quotas.call);
    call_cancel(m->hosts.call);
    call_cancel(m->network_call);
    clear(m);
    free(m->text);
    free(m);
}
