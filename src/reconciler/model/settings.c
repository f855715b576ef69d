/* Implements settings.h. */
#include "reconciler/model/settings.h"

#define SECTION "reconciler"

/* Reads the ports that rpc-gateway serves. They are the tree's also while it does not run. */
static void read_own_ports(struct settings *s, const struct config *config)
{
    static const struct {
        const char *name, *key;
    } ports[] = {{"peer_port", "[zone] peer_port"}, {"http_port", "[zone] http_port"}};
    if (!config_bool(config, "zone", "enable"))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        struct host_port port = host_port_at(APP_PROTOCOL_TCP, config_string(config, "zone", "listen"),
                                             config_number(config, "zone", ports[i].name));
        port.dual = port.v6 && host_port_is_wide(&port); /* as its socket is bound (lib/topology/listen.c) */
        s->own_ports[s->n_own_ports].port = port;
        s->own_ports[s->n_own_ports++].key = ports[i].key;
    }
}

void settings_read(struct settings *s, const struct config *config)
{
    *s = (struct settings){
        .zone_enabled = config_bool(config, "zone", "enable"),
        .retry = {.first_usec = config_duration(config, SECTION, "retry_min"),
                  .most_usec = config_duration(config, SECTION, "retry_max")},
        .parallel_first = config_number(config, SECTION, "parallel_first"),
        .parallel_update = config_number(config, SECTION, "parallel_update"),
        .stop_timeout_msec = (int64_t)(config_duration(config, SECTION, "stop_timeout") / USEC_PER_MSEC),
        .probation_msec = config_duration(config, SECTION, "probation") / USEC_PER_MSEC,
        .quota_required = streq(config_string(config, SECTION, "quota"), "required"),
        .keep_packages = config_bool(config, SECTION, "keep_packages"),
        .overcommit = config_string(config, SECTION, "overcommit"),
        .unassigned = config_string(config, SECTION, "unassigned"),
        .manifests = config_string(config, SECTION, "manifests"),
        .manifests_removed = config_string(config, SECTION, "manifests_removed"),
    };
    config_range(config, SECTION, "host_ports", &s->ports.low, &s->ports.high);
    read_own_ports(s, config);
}
