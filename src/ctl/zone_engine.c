/* Implements zone_engine.h. */
#include "ctl/zone_engine.h"

#include <inttypes.h>

#include "ctl/call.h"
#include "lib/api/container_driver.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

#define ENGINE_TIMEOUT_USEC (5 * USEC_PER_SEC) /* the rest is shown without the engine */
#define ANEW                "; container-driver(8) states how to have the network made anew"

static void add(struct net_info_out *info, const char *text)
{
    schema_append_string(&info->problems, &info->n_problems, text);
}

static void compare(struct net_info_out *info, const struct driver_network *network)
{
    if (network->closed)
        add(info,
            "the container engine drops what other machines send to the containers: their network was made "
            "before the engine was updated" ANEW);
    if (network->masquerades && info->masquerade)
        add(info,
            "the container engine masquerades what leaves the containers' network, which was made before "
            "hostlet's rule: other machines see this machine's address" ANEW);
    if (info->mtu > 0 && network->mtu > info->mtu) {
        _cleanup_free_ char *text = xasprintf("the MTU of the containers' network is %" PRId64
                                              ", and that of the zone's device %" PRId64 ANEW,
                                              network->mtu, info->mtu);
        add(info, text);
    }
}

void zone_engine_problems(const struct ctl *ctl, struct net_info_out *info)
{
    struct error e = ERROR_INIT;
    struct driver_check_network_in in = {info->instance_cidr};
    struct driver_check_network_out out = {.problem = NULL};
    if (!info->network || !info->instance_cidr ||
        ctl_call(ctl, &ctl_driver, "CheckNetwork", &in, &out, ENGINE_TIMEOUT_USEC, &e) < 0)
        return;
    if (out.problem)
        add(info, out.problem);
    if (out.network)
        compare(info, out.network);
    ctl_done(&ctl_driver, "CheckNetwork", &out);
}
