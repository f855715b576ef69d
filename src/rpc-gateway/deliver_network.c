/* Implements deliver_network.h. */
#include "rpc-gateway/deliver_network.h"

#include <malloc.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "rpc-gateway/deliver.h"
#include "rpc-gateway/zone_answer.h"
#include "rpc-gateway/zone_map.h"

#define PUT_TIMEOUT_USEC (30 * USEC_PER_SEC)
#define LARGE_MAP        ((size_t)256 << 10)

/* Pauses while the reconciler or net-keeper cannot be reached. */
static const struct retry_policy policy = {200 * USEC_PER_MSEC, 10 * USEC_PER_SEC};

struct deliver_network {
    struct caller caller;
    const struct membership *membership;
    struct timer timer; /* the next attempt after a failure */
    struct retry retry;
    struct call *call;
    char *lan_addr; /* NULL: none */
    char *place;    /* what the last delivery stated of this machine; NULL: nothing was delivered */
    struct answer_bytes map;
    bool due;      /* the reconciler does not have the present state */
    char *failure; /* why the last delivery failed; NULL: it did not */
    struct problems left_out, told;
    deliver_network_end_fn on_end; /* NULL: no caller waits */
    void *userdata;
};

static void run(struct deliver_network *d);

/* --- what is delivered --- */

/* Returns why this machine's own addresses cannot be used, or NULL. */
static char *place_problem(const struct zone_file *zone)
{
    _cleanup_free_ char *bridges = zone->vpc_bridge_ip ? xasprintf("%s/24", zone->vpc_bridge_ip) : NULL;
    for (size_t i = 0; bridges && i < zone->n_hosts; i++)
        if (zone_network_holds(bridges, zone->hosts[i]))
            return xasprintf("the zone host %.64s is in %s, the network of the VXLAN device that the zone "
                             "assigns: it would no longer be reached",
                             zone->hosts[i], bridges);
    return NULL;
}

/* Returns all that a delivery depends on beside the map, as a text for comparison. */
static char *place_text(const struct deliver_network *d)
{
    const struct zone_file *zone = &d->membership->zone;
    if (!d->membership->member)
        return xstrdup("none");
    char *text = xasprintf("%s %s %s %s %s", zone->host_id, d->lan_addr ?: "-", zone->vpc_bridge_ip ?: "-",
                           zone->vpc_instance_cidr ?: "-", zone->network_domain ?: "-");
    for (size_t i = 0; i < zone->n_hosts; i++) {
        _cleanup_free_ char *before = text;
        text = xasprintf("%s %s", before, zone->hosts[i]);
    }
    return text;
}

/* Reports whether the leader and this machine have stated everything that a network needs. */
static bool is_known(const struct deliver_network *d)
{
    const struct zone_file *zone = &d->membership->zone;
    return d->map.data && d->lan_addr && zone->vpc_bridge_ip && zone->vpc_instance_cidr;
}

/* --- calls --- */

static void end(struct deliver_network *d)
{
    deliver_network_end_fn on_end = d->on_end;
    struct problems failed = {.n = 0};
    if (d->failure)
        problems_add(&failed, d->failure);
    d->on_end = NULL;
    if (on_end)
        on_end(d->failure ? &failed : &d->told, d->userdata);
    problems_done(&failed);
}

static void set_failure(struct deliver_network *d, const char *reason)
{
    if (reason && !streq_null(d->failure, reason))
        log_warning("zone: the network between the machines: %s", reason);
    free(d->failure);
    d->failure = xstrdup_null(reason);
}

static void on_timer(void *userdata)
{
    run(userdata);
}

/* Logs what net-keeper could not do, once for each sentence. */
static void log_problems(struct deliver_network *d, const struct reconciler_zone_out *out)
{
    struct problems now = {.n = 0};
    for (size_t i = 0; i < out->n_network_problems; i++) {
        if (!problems_have(&d->told, out->network_problems[i]))
            log_warning("zone: the network between the machines: %s", out->network_problems[i]);
        problems_add(&now, out->network_problems[i]);
    }
    problems_done(&d->told);
    d->told = now;
}

static void on_put(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct deliver_network *d = userdata;
    bool newer = d->due;
    d->call = NULL;
    set_failure(d, e ? e->message : NULL);
    if (!e) {
        d->retry.failures = 0;
        log_problems(d, out);
    } else if (!deliver_is_refusal(e)) {
        d->due = true;
        if (!newer)
            timer_arm(&d->timer, d->caller.event, retry_next(&d->retry, &policy), on_timer, d);
    }
    if (newer)
        run(d);
    else
        end(d);
}

static void put(struct deliver_network *d, const struct reconciler_zone_in *in)
{
    d->call =
        call_start(&d->caller, &call_reconciler, "PutZoneState", in, false, PUT_TIMEOUT_USEC, on_put, d);
}

static void put_network(struct deliver_network *d)
{
    const struct zone_file *zone = &d->membership->zone;
    struct zone_map map;
    struct error e = ERROR_INIT;
    if (zone_map_read(d->map.data, d->map.size, zone->hosts, zone->n_hosts, &map, &e) < 0)
        return; /* deliver_network_map() has read the same bytes */
    struct net_network network = map.network;
    network.host_id = zone->host_id;
    network.lan_addr = d->lan_addr;
    network.bridge_ip = zone->vpc_bridge_ip;
    network.instance_cidr = zone->vpc_instance_cidr;
    if (!network.domain)
        network.domain = zone->network_domain;
    put(d, &(struct reconciler_zone_in){.network = &network});
    problems_done(&d->left_out);
    d->left_out = map.problems;
    map.problems = (struct problems){.n = 0};
    zone_map_done(&map);
    if (d->map.size > LARGE_MAP)
        malloc_trim(0);
}

/* Delivers the present state, unless a call is in progress, which runs it again. */
static void run(struct deliver_network *d)
{
    if (d->call)
        return;
    timer_stop(&d->timer);
    d->due = false;
    free(d->place);
    d->place = place_text(d);
    _cleanup_free_ char *problem = place_problem(&d->membership->zone);
    if (!d->membership->member)
        put(d, &(struct reconciler_zone_in){.no_network = true});
    else if (problem)
        set_failure(d, problem);
    else if (is_known(d))
        put_network(d);
    else
        set_failure(d, NULL);
    if (!d->call)
        end(d);
}

/* --- input --- */

int deliver_network_map(struct deliver_network *d, const uint8_t *data, size_t size, char **ret_domain,
                        struct error *e)
{
    const struct zone_file *zone = &d->membership->zone;
    struct zone_map map;
    int r = zone_map_read(data, size, zone->hosts, zone->n_hosts, &map, e);
    if (r < 0)
        return r;
    *ret_domain = TAKE_PTR(map.network.domain);
    for (size_t i = 0; i < map.problems.n; i++)
        if (!problems_have(&d->left_out, map.problems.items[i]))
            log_warning("zone: %s", map.problems.items[i]);
    zone_map_done(&map);
    free(d->map.data);
    d->map = (struct answer_bytes){xcalloc(size + 1, 1), size};
    memcpy(d->map.data, data, size);
    d->due = true;
    return 0;
}

void deliver_network_look(struct deliver_network *d, const char *lan_addr)
{
    free(d->lan_addr);
    d->lan_addr = xstrdup_null(lan_addr);
    if (!d->membership->member) {
        free(TAKE_PTR(d->map.data));
        d->map.size = 0;
        problems_done(&d->left_out);
    }
    _cleanup_free_ char *place = place_text(d);
    if (!streq_null(d->place, place))
        d->due = true;
    else if (!d->due || timer_armed(&d->timer))
        return;
    run(d);
}

void deliver_network_forget(struct deliver_network *d)
{
    if (!d->failure)
        return;
    d->due = true;
    run(d);
}

void deliver_network_wait(struct deliver_network *d, deliver_network_end_fn on_end, void *userdata)
{
    d->on_end = on_end;
    d->userdata = userdata;
    if (!on_end)
        return;
    d->due = true;
    run(d);
}

void deliver_network_problems(const struct deliver_network *d, struct problems *to)
{
    for (size_t i = 0; i < d->left_out.n; i++)
        problems_add(to, d->left_out.items[i]);
    _cleanup_free_ char *failure =
        d->failure ? xasprintf("the network between the machines: %s", d->failure) : NULL;
    if (failure)
        problems_add(to, failure);
}

struct deliver_network *deliver_network_new(const struct caller *caller, const struct membership *membership)
{
    struct deliver_network *d = xcalloc(1, sizeof *d);
    d->caller = *caller;
    d->membership = membership;
    return d;
}

void deliver_network_free(struct deliver_network *d)
{
    if (!d)
        return;
    call_cancel(d->call);
    timer_stop(&d->timer);
    problems_done(&d->left_out);
    problems_done(&d->told);
    free(d->lan_addr);
    free(d->place);
    free(d->map.data);
    free(d->failure);
    free(d);
}
