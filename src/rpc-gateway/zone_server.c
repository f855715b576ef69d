/* Implements zone_server.h. */
#include "rpc-gateway/zone_server.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/grpc/call.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/health.h"
#include "lib/grpc/reflection.h"
#include "lib/inapi/descriptors.h"
#include "lib/inapi/token.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/peer/peer.h"
#include "rpc-gateway/host_address_watch.h"
#include "rpc-gateway/host_message.h"
#include "rpc-gateway/token_guard.h"

#define PEER_RATE  20 /* connections per second of one address */
#define PEER_BURST 64 /* connections of one address at once */
/* Limits of the cost that an address without a valid token can cause, in the units of lib/grpc/tally.h: a
 * call with its connection costs about eighty. */
#define COST_RATE       1000  /* per second */
#define COST_BURST      20000 /* at once */
#define COST_CONNECTION 50
#define KIB             ((size_t)1 << 10)
#define MIB             ((size_t)1 << 20)
#define DRAIN_USEC      (2 * USEC_PER_SEC)
/* The time for which a call with a token that was too old, or that was sent again, is reported. */
#define NEWS_USEC (600 * USEC_PER_SEC)

struct zone_server {
    struct zone_server_parts parts;
    struct grpc_server *grpc;
    struct grpc_health *health;
    struct grpc_reflection *reflection;
    struct token_guard *guard;
    struct peer_rate rate, costs;
    char *clock;                  /* what a call showed about clocks that differ */
    uint64_t clock_at, replay_at; /* CLOCK_MONOTONIC, microseconds; 0: never */
};

/* --- tokens --- */

/* Reads this machine's key with its scopes; returns false if it has none. */
static bool own_key(const struct zone_server *s, struct access_key *ret)
{
    const struct membership *m = s->parts.membership;
    if (!m->member || access_key_parse(m->zone.access_key, ret, NULL) < 0)
        return false;
    access_key_grant_host(ret, m->zone.host_id);
    return true;
}

/* Records that two clocks differ, and by how much, if a token is valid except for its time. */
static void look_at_clock(struct zone_server *s, const struct access_key *key, const char *token,
                          const char *peer)
{
    int64_t now = now_realtime_msec() / 1000, made = token_made_at(token);
    if (made < 0 || !token_verify(key, 1, token, made, NULL) || token_guard_is_replay(s->guard, key, token))
        return;
    free(s->clock);
    s->clock = xasprintf("a call of %s was refused: its token was made %lld s ago by its own clock, and they "
                         "live %d s: set the clocks",
                         peer, (long long)(now - made), INAPI_TOKEN_LIFE);
    s->clock_at = now_monotonic_usec();
    log_warning("zone: %s", s->clock);
}

const char *zone_server_clock(const struct zone_server *s)
{
    return s->clock && now_monotonic_usec() - s->clock_at < NEWS_USEC ? s->clock : NULL;
}

/* Logs that a token was sent again, at most once in ten minutes: another party can read the traffic of this
 * machine and the zone. */
static void warn_of_replay(struct zone_server *s, const char *peer)
{
    if (s->replay_at && now_monotonic_usec() - s->replay_at < NEWS_USEC)
        return;
    s->replay_at = now_monotonic_usec();
    log_warning("zone: a call of %s was refused: its token was read from the network and sent again%s", peer,
                s->parts.tls ? "" : "; TLS ([zone] tls_certificate) keeps tokens from being read");
}

/* Accepts a token with a valid signature once. */
static int take_token(struct zone_server *s, const struct access_key *key, const char *token,
                      const char *peer, int *ret_status, struct error *e)
{
    bool again = token_guard_is_replay(s->guard, key, token);
    int r = token_guard_take(s->guard, key, token, now_realtime_msec() / 1000, e);
    if (again)
        warn_of_replay(s, peer);
    if (r < 0 && e->class == ERROR_RETRY)
        *ret_status = GRPC_UNAVAILABLE;
    return r;
}

static int check_scope(const struct zone_server *s, const struct access_key *key, int *ret_status,
                       struct error *e)
{
    _cleanup_free_ char *scope = xasprintf("host:rw:%s", s->parts.membership->zone.host_id);
    if (access_key_allows(key, scope))
        return 0;
    *ret_status = GRPC_UNKNOWN;
    return error_refuse(e, EACCES, "auth fail: caller not authorized for host ID");
}

/* Checks the token of a call. Runs for every method that needs one. */
static int authorise(struct grpc_call *call, const struct grpc_method *method, void *userdata,
                     int *ret_status, struct error *e)
{
    (void)method;
    struct zone_server *s = userdata;
    struct access_key own = {.id = NULL};
    const char *token = grpc_call_metadata(call, INAPI_TOKEN_METADATA);
    bool known = own_key(s, &own);
    const struct access_key *key = token_verify(&own, known ? 1 : 0, token, now_realtime_msec() / 1000, e);
    int r = key ? check_scope(s, key, ret_status, e) : -EACCES;
    if (r >= 0)
        r = take_token(s, key, token, grpc_call_peer(call), ret_status, e);
    if (!key && known && token)
        look_at_clock(s, &own, token, grpc_call_peer(call));
    if (r < 0)
        log_debug("%s: %s", grpc_call_peer(call), e->message);
    access_key_done(&own);
    return r;
}

/* --- HostInternalService --- */

static int on_host_init(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    struct zone_server *s = userdata;
    struct membership *m = s->parts.membership;
    const Inapi__HostInitRequest *request = (const Inapi__HostInitRequest *)in;
    Inapi__HostInitResponse out = INAPI__HOST_INIT_RESPONSE__INIT;
    Inapi__HostStatus status;
    struct host_status now;
    int r = membership_set_hosts(m, request->zone_name, request->zone_hosts, request->n_zone_hosts, e);
    if (r < 0)
        return e->class == ERROR_REFUSED ? error_prefix(e, "bad request") : r;
    host_status_read(s->parts.host, &now);
    host_message_fill(&now, m->zone.host_id, host_address_now(s->parts.address, NULL), &status);
    runtime_fill(s->parts.runtime, &status);
    out.host_id = m->zone.host_id;
    out.status = &status;
    grpc_call_reply(call, &out.base);
    return 0;
}

static const struct grpc_method host_methods[] = {
    {"HostInit", 0, &inapi__host_init_request__descriptor, on_host_init},
    {.name = NULL},
};
static const struct grpc_service host_service = {"inapi.HostInternalService", host_methods, authorise};

/* --- ZoneService: every host answers Ping, for every caller --- */

static int on_ping(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)in, (void)userdata, (void)e;
    Inapi__PingResponse out = INAPI__PING_RESPONSE__INIT;
    out.message = (char *)"pong";
    grpc_call_reply(call, &out.base);
    return 0;
}

static const struct grpc_method zone_methods[] = {
    {"Ping", GRPC_MESSAGE_KIB(4), &inapi__ping_request__descriptor, on_ping},
    {.name = NULL},
};
static const struct grpc_service zone_service = {"inapi.ZoneService", zone_methods, NULL};

static bool admit(const struct sockaddr *address, void *userdata)
{
    struct zone_server *s = userdata;
    struct peer peer;
    peer_from_socket(address, &peer);
    return peer_rate_take(&s->rate, &peer, now_monotonic_usec()) &&
           peer_rate_spend(&s->costs, &peer, COST_CONNECTION, now_monotonic_usec());
}

static bool spend(const struct sockaddr *address, unsigned cost, void *userdata)
{
    struct zone_server *s = userdata;
    struct peer peer;
    peer_from_socket(address, &peer);
    return peer_rate_spend(&s->costs, &peer, cost, now_monotonic_usec());
}

/* Counts a call. Names become rows of the metrics, so names that unauthenticated peers choose are counted
 * as "other". */
static void observe(const char *path, bool known, int status, uint64_t usec, void *userdata)
{
    struct zone_server *s = userdata;
    const char *method = strrchr(path, '/');
    call_stats_add(s->parts.calls, "grpc", "rpc-gateway", known && method ? method + 1 : "other",
                   grpc_status_name(status), usec);
}

int zone_server_new(const struct zone_server_parts *parts, struct zone_server **ret, struct error *e)
{
    struct zone_server *s = xcalloc(1, sizeof *s);
    s->parts = *parts;
    s->guard = token_guard_new(parts->membership->tree);
    peer_rate_init(&s->rate, PEER_RATE, PEER_BURST);
    peer_rate_init(&s->costs, COST_RATE, COST_BURST);
    const struct grpc_server_options options = {
        .message_max = MIB,       /* HostInit is the largest request */
        .buffered_max = 12 * MIB, /* more than all unauthenticated peers together can hold */
        .memory_max = 8 * MIB,
        .unsent_max = MIB,
        .strangers = {.connection = 512 * KIB, .origin = 2 * MIB, .all = 8 * MIB},
        .trusted = {.connection = 4 * MIB, .origin = 8 * MIB, .all = 16 * MIB},
        .tls = parts->tls,
        .admit = admit,
        .spend = spend,
        .observe = observe,
        .userdata = s,
    };
    int r = grpc_server_new(parts->event, &options, &s->grpc);
    if (r >= 0) {
        grpc_server_add(s->grpc, &host_service, s);
        grpc_server_add(s->grpc, &zone_service, s);
        s->health = grpc_health_new(s->grpc);
        grpc_health_set(s->health, host_service.name, true);
        grpc_health_set(s->health, zone_service.name, true);
        s->reflection = grpc_reflection_new(s->grpc, inapi_descriptors, inapi_descriptors_size);
        r = grpc_server_listen(s->grpc, parts->listen_fd, e);
    }
    if (r < 0) {
        zone_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void zone_server_drain(struct zone_server *s, void (*on_drained)(void *userdata), void *userdata)
{
    grpc_server_drain(s->grpc, DRAIN_USEC, on_drained, userdata);
}

void zone_server_free(struct zone_server *s)
{
    if (!s)
        return;
    grpc_server_free(s->grpc);
    grpc_health_free(s->health);
    grpc_reflection_free(s->reflection);
    token_guard_free(s->guard);
    free(s->clock);
    free(s);
}
