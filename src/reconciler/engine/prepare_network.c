/* Implements prepare_network.h. */
#include "reconciler/engine/prepare_network.h"

#include <errno.h>

#include "lib/api/net_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/wish.h"

/* How long a preparation waits until net-keeper has made the network of which the zone's facts are known: the
 * same response of the leader brings both, and net-keeper can be starting. Afterwards Docker's network is
 * made with what there is. */
#define PATIENCE (10 * USEC_PER_SEC)
#define PAUSE    (500 * USEC_PER_MSEC)

/* The MTU that fits if that of the device below is the usual one. */
#define USUAL_MTU 1450

/* Returns the zone's network if a replica of this revision has an address in it; NULL: none has. */
const char *prepare_network_wanted(const struct prepare *p)
{
    const struct instance *instance = p->instance;
    const struct reconciler_zone_facts *zone = instance->manager->zone;
    const struct record_revision *revision = record_find_revision(instance->record, p->revision);
    for (size_t i = 0; zone && i < instance->n_replicas; i++)
        if (replica_want(instance->replicas[i]) == WANT_RUN &&
            replica_vpc_ipv4(instance->replicas[i], revision))
            return zone->vpc_instance_cidr;
    return NULL;
}

/* Sets host_recv of the replicas that are to run, also of running ones, whose next container could not be
 * created. While the order is not followed, the stage keeps the reason for that. */
static void network_stage_set(const struct prepare *p, enum app_stage_state state, const char *message)
{
    const struct instance *instance = p->instance;
    if (p->revision != instance->record->revision)
        return;
    for (size_t i = 0;
         record_is_zone(instance->record) && !instance->record->problem && i < instance->n_replicas; i++)
        if (replica_want(instance->replicas[i]) == WANT_RUN && !instance->replicas[i]->record->unassigned)
            stage_set(instance->replicas[i], STAGE_HOST_RECV, state, message);
}

static void network_refused(struct prepare *p, const char *problem)
{
    struct error why = ERROR_INIT;
    set_string(&p->network, NULL);
    network_stage_set(p, STAGE_FAILED, problem);
    error_refuse(&why, EADDRINUSE, "%s", problem);
    prepare_failed(p, STAGE_HOST_RECV, &why);
}

/* Returns what the zone's network on this machine lacks, or NULL. */
static const char *lack(const struct net_info_out *info, const char *cidr)
{
    if (!info->network)
        return "net-keeper has no network of the zone";
    if (!streq_null(info->instance_cidr, cidr))
        return "net-keeper has the zone's network with another range";
    if (!info->masquerade)
        return info->masquerade_problem
                   ?: "net-keeper has not made the rule that masquerades what leaves the network";
    if (info->mtu <= 0)
        return "net-keeper has not made the device of the zone's network";
    return NULL;
}

static void network_is_known(struct prepare *p)
{
    network_stage_set(p, STAGE_SUCCESS, NULL);
    prepare_next(p);
}

static void on_info(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct prepare *p = userdata;
    const struct instance *instance = p->instance;
    const struct net_info_out *info = out;
    p->request = NULL;
    if (e) {
        struct error why = *e;
        set_string(&p->network, NULL);
        error_prefix(&why, "the zone's network cannot be made before net-keeper replies");
        prepare_failed(p, STAGE_HOST_RECV, &why);
        return;
    }
    const char *problem = lack(info, p->network);
    if (problem && outside_monotonic_usec(instance->manager->outside) - p->began < PATIENCE) {
        _cleanup_free_ char *text = xasprintf("waiting for the zone's network: %s", problem);
        set_string(&p->network, NULL);
        network_stage_set(p, STAGE_RUNNING, text);
        prepare_pause(p, PAUSE);
        return;
    }
    bool same = info->network && streq_null(info->instance_cidr, p->network);
    p->vpc_masqueraded = same && info->masquerade;
    p->vpc_mtu = info->mtu > 0 ? info->mtu : USUAL_MTU;
    if (!p->vpc_masqueraded)
        log_warning(
            "instance %s: if the zone's network is made now, Docker masquerades what leaves it, and other "
            "machines see this machine's address in place of a container's: %s",
            instance->record->name, problem);
    network_is_known(p);
}

/* Asks for the options of a network that is made. An existing one keeps its own. */
static void ask_net_keeper(struct prepare *p)
{
    struct manager *m = p->instance->manager;
    if (m->settings.zone_enabled)
        p->request = manager_call(m, m->net_socket, &net_keeper_interface, "Info", NULL, false, CALL_TIMEOUT,
                                  on_info, p);
    else
        network_is_known(p);
}

/* Continues after other failures: container-driver checks the network again when it makes it. */
static void on_network(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct prepare *p = userdata;
    const struct driver_check_network_out *found = out;
    p->request = NULL;
    if (!e && found->problem)
        network_refused(p, found->problem);
    else if (!e && found->network)
        network_is_known(p);
    else
        ask_net_keeper(p);
}

void prepare_network(struct prepare *p, const char *cidr)
{
    struct manager *m = p->instance->manager;
    struct driver_check_network_in in = {(char *)cidr};
    p->vpc_mtu = 0;
    p->vpc_masqueraded = false;
    if (m->zone->vpc_problem) {
        network_refused(p, m->zone->vpc_problem);
        return;
    }
    set_string(&p->network, cidr);
    p->request = manager_call(m, m->driver_socket, &container_driver_interface, "CheckNetwork", &in, false,
                              CALL_TIMEOUT, on_network, p);
}
