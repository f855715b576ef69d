/* Implements the commands zone init, join-info, status and leave. */
#include "ctl/zone.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/call.h"
#include "ctl/enable.h"
#include "ctl/output.h"
#include "ctl/zone_engine.h"
#include "lib/api/net_keeper.h"
#include "lib/api/reconciler.h"
#include "lib/api/rpc_gateway.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

#define CONFIG_NAME          "50-zone.conf"
#define NETWORK_TIMEOUT_USEC (5 * USEC_PER_SEC) /* the rest is shown without net-keeper */

static int print_join(const struct ctl *ctl, const char *method, const struct gateway_join_out *out)
{
    if (ctl->json) {
        print_json(schema_pack(varlink_find_method(&rpc_gateway_interface, method)->out, out));
        return EXIT_OK;
    }
    printf("host id     %s\naddress     %s\naccess key  %s\n", out->host_id,
           out->peer_addr ?: "none yet: this machine has no private address, nor [zone] lan_addr",
           out->access_key);
    if (out->peer_addr)
        printf("\nThe zone's operator joins this machine with:\n  innerstack-cli host-join --addr %s "
               "--access-key %s\n",
               out->peer_addr, out->access_key);
    return EXIT_OK;
}

/* Returns the host id that containers of this machine already have, or NULL. The caller frees it. */
static char *known_host_id(const struct ctl *ctl)
{
    struct reconciler_info_out info = {.host_id = NULL};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_reconciler, "Info", NULL, &info, CTL_TIMEOUT_USEC, &e) < 0)
        return NULL;
    char *id = info.host_id && *info.host_id ? xstrdup(info.host_id) : NULL; /* "": the file cannot be read */
    ctl_done(&ctl_reconciler, "Info", &info);
    return id;
}

static int enable(const struct ctl *ctl, struct error *e)
{
    static const char text[] = "# Made by hostletctl zone init. Yours to change.\n[zone]\nenable = yes\n";
    bool enabled = false;
    int r = zone_is_enabled(ctl, &enabled, e);
    if (r < 0 || enabled)
        return r;
    return use_config_part(ctl, CONFIG_NAME, text, e);
}

/* Reports whether the text is an IPv4 address or HOST:PORT. An address without a port gets [zone] peer_port;
 * a single word is refused as a mistake. The check comes before any change, since a wrong address would only
 * show in a machine that never joins. */
static bool is_zone_host(const char *text)
{
    const char *colon = strrchr(text, ':');
    struct in_addr address;
    int64_t port;
    if (inet_pton(AF_INET, text, &address) == 1)
        return true;
    size_t n = colon ? (size_t)(colon - text) : 0;
    bool bracketed = n > 2 && text[0] == '[' && colon[-1] == ']';
    return n > 0 && (bracketed || !memchr(text, ':', n)) && !text[strcspn(text, " \t\n/@,")] &&
           parse_int64(colon + 1, 1, 65535, &port) >= 0;
}

int command_zone_init(struct ctl *ctl)
{
    for (int i = 0; i < ctl->n_arguments; i++)
        if (!is_zone_host(ctl->arguments[i])) {
            log_error("zone init: '%s' is no ADDRESS:PORT of a zone's host, such as 192.168.1.10:9533",
                      ctl->arguments[i]);
            return EXIT_USAGE;
        }
    struct error e = ERROR_INIT;
    struct gateway_join_out out = {.host_id = NULL};
    struct gateway_zone_out before = {.state = 0};
    int r = enable(ctl, &e);
    /* A machine that already has a host id keeps it. */
    if (r >= 0)
        r = call_gateway(ctl, "ZoneStatus", NULL, &before, &e);
    if (r < 0)
        return ctl_fail(&e);
    _cleanup_free_ char *id = before.host_id ? NULL : known_host_id(ctl);
    ctl_done(&ctl_gateway, "ZoneStatus", &before);
    struct gateway_init_in in = {.host_id = id, .hosts = ctl->arguments, .n_hosts = (size_t)ctl->n_arguments};
    if (call_gateway(ctl, "ZoneInit", &in, &out, &e) < 0)
        return ctl_fail(&e);
    warn_without_tls(ctl);
    int code = print_join(ctl, "ZoneInit", &out);
    ctl_done(&ctl_gateway, "ZoneInit", &out);
    return code;
}

int zone_fail(const struct ctl *ctl, const struct error *e)
{
    struct error ignored = ERROR_INIT;
    bool enabled = true;
    int code = ctl_fail(e);
    if (e->class == ERROR_SERVICE_DOWN && zone_is_enabled(ctl, &enabled, &ignored) >= 0 && !enabled)
        log_error("  'hostletctl zone init' sets [zone] enable = yes, and prepares this machine for a zone");
    return code;
}

int command_zone_join_info(struct ctl *ctl)
{
    struct error e = ERROR_INIT;
    struct gateway_join_out out = {.host_id = NULL};
    if (ctl_call(ctl, &ctl_gateway, "ZoneJoinInfo", NULL, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return zone_fail(ctl, &e);
    int code = print_join(ctl, "ZoneJoinInfo", &out);
    ctl_done(&ctl_gateway, "ZoneJoinInfo", &out);
    return code;
}

static void print_row(const char *name, const char *value)
{
    if (!value)
        return;
    _cleanup_free_ char *safe = format_safe(value);
    printf("%-14s %s\n", name, safe);
}

static void print_status(const struct gateway_zone_out *z)
{
    static const enum colour colours[] = {[GATEWAY_ZONE_NONE] = PLAIN,
                                          [GATEWAY_ZONE_WAITING] = YELLOW,
                                          [GATEWAY_ZONE_TRYING] = YELLOW,
                                          [GATEWAY_ZONE_JOINED] = GREEN,
                                          [GATEWAY_ZONE_LOST] = RED};
    _cleanup_free_ char *reason = format_safe(z->reason ?: "");
    printf("%-14s ", "zone");
    print_coloured(colours[z->state], schema_enum_name(&gateway_zone_state_enum, z->state));
    printf("%s%s\n", *reason ? ": " : "", reason);
    print_row("name", z->zone_name);
    print_row("host id", z->host_id);
    print_row("address", z->peer_addr);
    for (size_t i = 0; i < z->n_hosts; i++)
        print_row(i == 0 ? "zone hosts" : "", z->hosts[i]);
    print_row("leader", z->leader);
    if (z->last_success) {
        _cleanup_free_ char *when = format_time(z->last_success);
        print_row("last reply", when);
        printf("%-14s %.1f ms\n", "took", (double)z->round_trip_usec / 1000);
    }
    if (z->failures) {
        _cleanup_free_ char *wait = format_duration(z->next_try - now_realtime_msec());
        printf("%-14s %" PRId64 " in a row; next attempt in %s\n", "failures", z->failures, wait);
    }
    if (z->state != GATEWAY_ZONE_NONE)
        printf("%-14s %" PRId64 ", %" PRId64 " of them not delivered yet\n", "instances", z->assigned,
               z->waiting);
    if (z->reports_due)
        printf("%-14s of %" PRId64 " replicas are not reported yet\n", "stages", z->reports_due);
    for (size_t i = 0; i < z->n_problems; i++)
        print_row(i == 0 ? "problems" : "", z->problems[i]);
    print_row("bridge", z->vpc_bridge_ip);
    print_row("network", z->vpc_instance_cidr);
    print_row("domain", z->network_domain);
    print_row("clocks", z->clock);
}

static void add_problem(struct gateway_zone_out *out, const char *text)
{
    for (size_t i = 0; i < out->n_problems; i++)
        if (streq(out->problems[i], text))
            return;
    schema_append_string(&out->problems, &out->n_problems, text);
}

/* Adds what net-keeper states at present, or that it cannot be asked: rpc-gateway only learns what was wrong
 * when the network was delivered. */
static void add_network_problems(const struct ctl *ctl, struct gateway_zone_out *out)
{
    struct net_info_out network = {.network = false};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_net, "Info", NULL, &network, NETWORK_TIMEOUT_USEC, &e) < 0) {
        _cleanup_free_ char *text = xasprintf("the network between the machines: %s", e.message);
        add_problem(out, text);
        return;
    }
    zone_engine_problems(ctl, &network);
    for (size_t i = 0; i < network.n_problems; i++)
        add_problem(out, network.problems[i]);
    ctl_done(&ctl_net, "Info", &network);
}

int command_zone_status(struct ctl *ctl)
{
    struct error e = ERROR_INIT;
    struct gateway_zone_out out = {.state = 0};
    if (ctl_call(ctl, &ctl_gateway, "ZoneStatus", NULL, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return zone_fail(ctl, &e);
    add_network_problems(ctl, &out);
    if (ctl->json)
        print_json(schema_pack(varlink_find_method(&rpc_gateway_interface, "ZoneStatus")->out, &out));
    else
        print_status(&out);
    ctl_done(&ctl_gateway, "ZoneStatus", &out);
    return EXIT_OK;
}

/* Does the same for a leave, which needs an enabled zone, too. */
static int leave_fail(const struct ctl *ctl, const struct error *e)
{
    struct error ignored = ERROR_INIT;
    bool enabled = true;
    int code = ctl_fail(e);
    if (e->class == ERROR_SERVICE_DOWN && zone_is_enabled(ctl, &enabled, &ignored) >= 0 && !enabled)
        log_error("  rpc-gateway and net-keeper end the membership and remove the network: set [zone] enable "
                  "= yes, "
                  "then 'hostletctl reload', and repeat 'hostletctl zone leave'");
    return code;
}

int command_zone_leave(struct ctl *ctl)
{
    struct error e = ERROR_INIT;
    struct gateway_leave_out out = {.n_left = 0};
    if (ctl_call(ctl, &ctl_gateway, "ZoneLeave", NULL, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return leave_fail(ctl, &e);
    if (ctl->json) {
        json_t *left = json_array();
        for (size_t i = 0; i < out.n_left; i++)
            json_array_append_new(left, json_string(out.left[i]));
        print_json(json_pack("{s:b,s:o}", "left", true, "network", left));
    } else
        puts("This machine belongs to no zone any more. Its applications keep running; 'hostletctl apps' "
             "shows them as no longer assigned.");
    for (size_t i = 0; i < out.n_left; i++)
        log_error("the zone's network is not removed yet: %s", out.left[i]);
    if (out.n_left > 0)
        log_error(
            "  it is removed as soon as net-keeper can do it; repeat 'hostletctl zone leave' to see the "
            "result, before you set [zone] enable = no");
    int code = out.n_left > 0 ? EXIT_FAILED : EXIT_OK;
    ctl_done(&ctl_gateway, "ZoneLeave", &out);
    return code;
}
