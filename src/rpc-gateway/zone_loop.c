/* Implements zone_loop.h. */
#include "rpc-gateway/zone_loop.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "lib/schema/object.h"
#include "lib/zone/client.h"
#include "rpc-gateway/deliver.h"
#include "rpc-gateway/host_message.h"
#include "rpc-gateway/zone_answer.h"
#include "rpc-gateway/zone_map.h"

#define DEADLINE_USEC (3 * USEC_PER_SEC)
#define NEXT_HOST     (200 * USEC_PER_MSEC) /* pause before another zone host, until all have been asked */
#define PAUSE_MAX     10                    /* intervals */
#define REPORTS_MAX   ((size_t)8 << 20)     /* bytes of reports in one update: servers accept 16 MiB */

struct zone_loop {
    struct zone_loop_parts parts;
    char *lan_addr; /* NULL: none */
    struct zone_client *client;
    struct zone_request *request;
    struct deliver *deliver;
    struct deliver_network *network;
    sd_event_source *renew;
    struct timer timer; /* begins the next round */
    uint64_t asked_usec, map_revision;
    bool map_seen;
    char *map_problem; /* why the last answer's map is ignored; NULL: it is not */
    enum gateway_zone_state state;
    char *reason;
    char *answered;             /* the host that accepted the last update of this process */
    uint64_t last_success_usec; /* CLOCK_MONOTONIC; 0: none */
    int64_t failures, assigned, round_trip_usec;
};

static void begin_round(struct zone_loop *z);

/* --- state --- */

static void zone_set_state(struct zone_loop *z, enum gateway_zone_state state, const char *reason)
{
    bool another = z->state != state || !streq_null(z->reason, reason);
    if (another && state == GATEWAY_ZONE_JOINED)
        log_notice("zone: the leader at %s answers", zone_client_host(z->client));
    else if (another && reason)
        log_write(state == GATEWAY_ZONE_WAITING ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARNING, "zone: %s", reason);
    z->state = state;
    if (another) {
        free(z->reason);
        z->reason = xstrdup_null(reason);
    }
}

static void on_timer(void *userdata)
{
    begin_round(userdata);
}

static void plan_round(struct zone_loop *z, uint64_t usec)
{
    timer_arm(&z->timer, z->parts.caller->event, usec, on_timer, z);
}

/* --- the facts for the reconciler --- */

/* Returns why the range that the zone assigned cannot be used: a zone host in it would no longer be
 * reached. container-driver checks it against other ranges of this machine. */
static char *network_problem(const struct zone_file *zone)
{
    for (size_t i = 0; zone->vpc_instance_cidr && i < zone->n_hosts; i++)
        if (zone_network_holds(zone->vpc_instance_cidr, zone->hosts[i]))
            return xasprintf("the zone's network %s is not made: the zone host %.64s is in it; the zone has "
                             "to assign another one to this machine",
                             zone->vpc_instance_cidr, zone->hosts[i]);
    return NULL;
}

static void tell_facts(struct zone_loop *z)
{
    const struct zone_file *zone = &z->parts.membership->zone;
    deliver_network_look(z->network, z->lan_addr);
    if (!z->parts.membership->member)
        return;
    _cleanup_free_ char *url = z->lan_addr ? xasprintf("http://%s:%lld/in/api/v2/hostlet/inagent/status",
                                                       z->lan_addr, (long long)z->parts.http_port)
                                           : NULL,
                        *problem = network_problem(zone);
    const struct reconciler_zone_facts facts = {.host_id = zone->host_id,
                                                .lan_addr = z->lan_addr,
                                                .status_url = url,
                                                .base_domain = zone->network_domain,
                                                .vpc_bridge_ip = zone->vpc_bridge_ip,
                                                .vpc_instance_cidr = zone->vpc_instance_cidr,
                                                .vpc_problem = problem};
    deliver_facts(z->deliver, &facts);
}

/* --- answers --- */

/* Takes the map of an answer if it is newer than the last one. The leader's counter starts at 0 each time
 * this process starts. Returns the domain that it states, which the caller frees, or NULL. */
static char *take_map(struct zone_loop *z, const struct zone_answer *answer)
{
    struct error e = ERROR_INIT;
    char *domain = NULL;
    uint64_t revision = zone_map_revision(answer->map, answer->map_size);
    if (!answer->map || (z->map_seen && revision <= z->map_revision))
        return NULL;
    bool taken = deliver_network_map(z->network, answer->map, answer->map_size, &domain, &e) >= 0;
    if (taken) {
        z->map_seen = true;
        z->map_revision = revision;
    } else if (!z->map_problem)
        log_warning("zone: the leader's map of the network is ignored: %s", e.message);
    free(z->map_problem);
    z->map_problem = taken ? NULL : xasprintf("the leader's map of the network is ignored: %s", e.message);
    return domain;
}

/* Takes ownership of 'data'. */
static void take(struct zone_loop *z, uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    struct zone_answer answer;
    zone_answer_read(data, size, &answer);
    _cleanup_free_ char *domain = take_map(z, &answer);
    if (membership_set_network(z->parts.membership, zone_client_host(z->client), answer.vpc_bridge_ip,
                               answer.vpc_instance_cidr, domain, &e) < 0)
        log_warning("zone: this machine's network, as the leader states it, is not stored: %s", e.message);
    tell_facts(z);
    z->assigned = (int64_t)answer.n_instances;
    zone_answer_done(&answer);
    deliver_answer(z->deliver, data, size);
}

/* Marks the reports as accepted. If the leader is another one than before, it has none of the reports that
 * the other one accepted, and all become due; the numbers of its maps are its own. */
static void reports_taken(struct zone_loop *z)
{
    const char *host = zone_client_host(z->client);
    if (z->answered && !streq(z->answered, host)) {
        stage_reports_renew(z->parts.reports);
        z->map_seen = false;
    }
    stage_reports_accepted(z->parts.reports);
    free(z->answered);
    z->answered = xstrdup(host);
}

/* Returns the pause: short before a host that was not asked yet, then growing with jitter. */
static uint64_t pause_after_failure(const struct zone_loop *z)
{
    size_t n = z->parts.membership->zone.n_hosts;
    const struct retry_policy policy = {z->parts.interval_usec, z->parts.interval_usec * PAUSE_MAX};
    unsigned hosts = n ? (unsigned)n : 1, failures = (unsigned)z->failures;
    uint32_t random;
    random_bytes(&random, sizeof random);
    return retry_spread(failures % hosts ? NEXT_HOST : retry_pause(&policy, failures / hosts), random);
}

static void on_answer(uint8_t *data, size_t size, const struct error *e, void *userdata)
{
    struct zone_loop *z = userdata;
    z->request = NULL;
    call_stats_add(z->parts.caller->stats, "grpc", "zone", "HostStatusUpdate",
                   e ? error_class_to_string(e->class) : "ok", now_monotonic_usec() - z->asked_usec);
    if (!data) {
        z->failures++;
        zone_set_state(z, z->last_success_usec ? GATEWAY_ZONE_LOST : GATEWAY_ZONE_TRYING, e->message);
        plan_round(z, pause_after_failure(z));
        return;
    }
    reports_taken(z);
    z->failures = 0;
    z->round_trip_usec = (int64_t)(now_monotonic_usec() - z->asked_usec);
    z->last_success_usec = now_monotonic_usec();
    zone_set_state(z, GATEWAY_ZONE_JOINED, NULL);
    take(z, data, size);
    plan_round(z, z->parts.interval_usec);
}

/* --- rounds --- */

static void ask(struct zone_loop *z)
{
    const struct zone_file *zone = &z->parts.membership->zone;
    struct host_status figures;
    Inapi__HostStatus status;
    Inapi__Host host = INAPI__HOST__INIT;
    Inapi__HostStatusUpdateRequest request = INAPI__HOST_STATUS_UPDATE_REQUEST__INIT;
    _cleanup_free_ char *peer = xasprintf("%s:%lld", z->lan_addr, (long long)z->parts.peer_port);
    host_status_read(z->parts.host, &figures);
    host_message_fill(&figures, zone->host_id, z->lan_addr, &status);
    runtime_fill(z->parts.runtime, &status);
    host.id = zone->host_id;
    host.peer_addr = peer;
    request.host = &host;
    request.status = &status;
    request.replica_stages = stage_reports_take(z->parts.reports, REPORTS_MAX, &request.n_replica_stages);
    const struct zone_ask call = {.path = "/inapi.ZoneInternalService/HostStatusUpdate",
                                  .message = &request.base,
                                  .timeout_usec = DEADLINE_USEC,
                                  .on_bytes = on_answer,
                                  .userdata = z};
    z->asked_usec = now_monotonic_usec();
    z->request = zone_call(z->client, &call);
    stage_reports_free(request.replica_stages, request.n_replica_stages);
}

static int connect_zone(struct zone_loop *z, struct error *e)
{
    const struct zone_file *zone = &z->parts.membership->zone;
    const struct zone_client_options options = {.hosts = zone->hosts,
                                                .n_hosts = zone->n_hosts,
                                                .first = zone->leader,
                                                .port = (uint16_t)z->parts.peer_port,
                                                .access_key = zone->access_key,
                                                .tls = z->parts.tls};
    return zone_client_new(z->parts.caller->event, &options, &z->client, e);
}

static void begin_round(struct zone_loop *z)
{
    const struct membership *m = z->parts.membership;
    struct error e = ERROR_INIT;
    if (z->request)
        return;
    timer_stop(&z->timer);
    if (!m->member)
        zone_set_state(z, GATEWAY_ZONE_NONE, NULL);
    else if (!z->lan_addr)
        zone_set_state(
            z, GATEWAY_ZONE_WAITING,
            "this machine has no private address yet, nor [zone] lan_addr: its zone cannot reach it");
    else if (m->zone.n_hosts == 0)
        zone_set_state(z, GATEWAY_ZONE_WAITING,
                       "to be joined by the zone's operator ('hostletctl zone join-info')");
    else if (!z->client && connect_zone(z, &e) < 0)
        zone_set_state(z, GATEWAY_ZONE_WAITING, e.message);
    else
        ask(z);
}

/* Runs in the loop, because the change can be noticed in a callback of the client. */
static int on_renew(sd_event_source *source, void *userdata)
{
    (void)source;
    struct zone_loop *z = userdata;
    zone_request_cancel(z->request);
    z->request = NULL;
    zone_client_free(z->client);
    z->client = NULL;
    z->failures = 0;
    z->map_seen = false;
    if (!z->parts.membership->member && z->state != GATEWAY_ZONE_NONE) {
        z->last_success_usec = 0;
        z->assigned = 0;
        deliver_nothing(z->deliver);
    }
    stage_reports_renew(z->parts.reports);
    tell_facts(z);
    begin_round(z);
    return 0;
}

void zone_loop_renew(struct zone_loop *z)
{
    (void)sd_event_source_set_enabled(z->renew, SD_EVENT_ONESHOT);
}

void zone_loop_set_address(struct zone_loop *z, const char *lan_addr)
{
    if (streq_null(z->lan_addr, lan_addr))
        return;
    free(z->lan_addr);
    z->lan_addr = xstrdup_null(lan_addr);
    zone_loop_renew(z);
}

void zone_loop_status(const struct zone_loop *z, struct gateway_zone_out *ret)
{
    const struct membership *m = z->parts.membership;
    *ret = (struct gateway_zone_out){.state = (int)z->state,
                                     .reason = xstrdup_null(z->reason),
                                     .host_id = xstrdup_null(m->zone.host_id),
                                     .zone_name = xstrdup_null(m->zone.zone_name),
                                     .leader = xstrdup_null(m->zone.leader),
                                     .last_success = monotonic_to_unix_msec(z->last_success_usec),
                                     .round_trip_usec = z->round_trip_usec,
                                     .next_try = timer_due_msec(&z->timer),
                                     .failures = z->failures,
                                     .assigned = z->assigned,
                                     .waiting = (int64_t)deliver_waiting(z->deliver),
                                     .vpc_bridge_ip = xstrdup_null(m->zone.vpc_bridge_ip),
                                     .vpc_instance_cidr = xstrdup_null(m->zone.vpc_instance_cidr),
                                     .network_domain = xstrdup_null(m->zone.network_domain)};
    if (z->lan_addr)
        ret->peer_addr = xasprintf("%s:%lld", z->lan_addr, (long long)z->parts.peer_port);
    for (size_t i = 0; i < m->zone.n_hosts; i++)
        schema_append_string(&ret->hosts, &ret->n_hosts, m->zone.hosts[i]);
    size_t n;
    char *const *problems = deliver_problems(z->deliver, &n);
    for (size_t i = 0; i < n; i++)
        schema_append_string(&ret->problems, &ret->n_problems, problems[i]);
    _cleanup_free_ char *network = network_problem(&m->zone);
    if (network)
        schema_append_string(&ret->problems, &ret->n_problems, network);
    if (z->map_problem)
        schema_append_string(&ret->problems, &ret->n_problems, z->map_problem);
    struct problems map = {.n = 0};
    deliver_network_problems(z->network, &map);
    for (size_t i = 0; i < map.n; i++)
        schema_append_string(&ret->problems, &ret->n_problems, map.items[i]);
    problems_done(&map);
    ret->reports_due = (int64_t)stage_reports_due(z->parts.reports);
}

void zone_loop_await_removal(struct zone_loop *z, deliver_network_end_fn on_end, void *userdata)
{
    deliver_network_wait(z->network, on_end, userdata);
}

void zone_loop_reconciler_back(struct zone_loop *z)
{
    deliver_forget(z->deliver);
    deliver_network_forget(z->network);
}

int zone_loop_new(const struct zone_loop_parts *parts, const char *lan_addr, struct zone_loop **ret,
                  struct error *e)
{
    struct zone_loop *z = xcalloc(1, sizeof *z);
    *z = (struct zone_loop){.parts = *parts, .lan_addr = xstrdup_null(lan_addr)};
    z->deliver = deliver_new(parts->caller);
    z->network = deliver_network_new(parts->caller, parts->membership);
    int r = sd_event_add_defer(parts->caller->event, &z->renew, on_renew, z);
    if (r < 0) {
        zone_loop_free(z);
        return error_os(e, -r, "cannot make the loop with the zone");
    }
    *ret = z;
    return 0;
}

void zone_loop_free(struct zone_loop *z)
{
    if (!z)
        return;
    zone_client_free(z->client); /* and the request */
    deliver_free(z->deliver);
    deliver_network_free(z->network);
    timer_stop(&z->timer);
    sd_event_source_disable_unref(z->renew);
    free(z->lan_addr);
    free(z->reason);
    free(z->answered);
    free(z->map_problem);
    free(z);
}
