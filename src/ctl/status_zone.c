/* Implements status_zone.h. */
#include "ctl/status_zone.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/call.h"
#include "ctl/output.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

/* net-keeper runs only on machines whose zone is enabled. */
static bool is_enabled(const struct service_list *services)
{
    for (size_t i = 0; i < services->n_items; i++)
        if (streq(services->items[i]->name, "net-keeper"))
            return !services->items[i]->disabled;
    return false;
}

void status_zone_read(const struct ctl *ctl, const struct service_list *services, uint64_t timeout_usec,
                      struct status_zone *ret)
{
    *ret = (struct status_zone){.enabled = is_enabled(services)};
    if (!ret->enabled)
        return;
    ctl_call(ctl, &ctl_gateway, "ZoneStatus", NULL, &ret->zone, timeout_usec, &ret->zone_error);
    ctl_call(ctl, &ctl_net, "Info", NULL, &ret->network, timeout_usec, &ret->network_error);
}

static void print_problems(char *const *problems, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *line = xasprintf("  %s", problems[i]);
        print_page_line("", RED, line);
    }
}

static void print_zone(const struct status_zone *s)
{
    if (s->zone_error.errnum) {
        print_page_line("zone", RED, s->zone_error.message);
        return;
    }
    const struct gateway_zone_out *z = &s->zone;
    bool good = z->state == GATEWAY_ZONE_JOINED || z->state == GATEWAY_ZONE_NONE;
    _cleanup_free_ char *text = xasprintf("%s%s%s", schema_enum_name(&gateway_zone_state_enum, z->state),
                                          z->reason ? ": " : "", z->reason ?: "");
    print_page_line("zone",
                    z->state == GATEWAY_ZONE_LOST ? RED
                    : good && z->n_problems == 0  ? GREEN
                                                  : YELLOW,
                    text);
    print_problems(z->problems, z->n_problems);
}

static void print_network(const struct status_zone *s)
{
    const struct net_info_out *n = &s->network;
    if (s->network_error.errnum) {
        print_page_line("network", RED, s->network_error.message);
        return;
    }
    if (!n->network && n->n_problems == 0)
        return;
    _cleanup_free_ char *text =
        xasprintf("%s with %" PRId64 " other machine%s%s", n->device ?: "none", n->peers,
                  n->peers == 1 ? "" : "s", n->masquerade ? "" : "; the container engine masquerades");
    print_page_line("network", n->n_problems > 0 || !n->device_ok ? RED : GREEN, text);
    print_problems(n->problems, n->n_problems);
}

void status_zone_print(const struct status_zone *s)
{
    if (!s->enabled)
        return;
    print_zone(s);
    print_network(s);
}

static json_t *pack(const struct error *e, const struct varlink_interface *interface, const char *method,
                    const void *out)
{
    return e->errnum ? json_pack("{s:s}", "error", e->message)
                     : schema_pack(varlink_find_method(interface, method)->out, out);
}

json_t *status_zone_pack(const struct status_zone *s)
{
    return s->enabled ? pack(&s->zone_error, &rpc_gateway_interface, "ZoneStatus", &s->zone) : NULL;
}

json_t *status_zone_pack_network(const struct status_zone *s)
{
    return s->enabled ? pack(&s->network_error, &net_keeper_interface, "Info", &s->network) : NULL;
}

void status_zone_done(struct status_zone *s)
{
    ctl_done(&ctl_gateway, "ZoneStatus", &s->zone);
    ctl_done(&ctl_net, "Info", &s->network);
}
