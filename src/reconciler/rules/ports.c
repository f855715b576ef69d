/* Implements ports.h. */
#include "reconciler/rules/ports.h"

#include <errno.h>

#include "lib/app/name.h"
#include "lib/basic/util.h"
#include "lib/schema/object.h"

/* What the ports of one manifest are assigned from. */
struct assignment {
    const struct port_uses *uses;
    const struct port_range *range;
    const struct record *record;
    const struct app_manifest *manifest;
};

const struct port_use *port_find_use(const struct port_uses *uses, const struct host_port *port,
                                     enum port_user user)
{
    for (size_t i = 0; i < uses->n_items; i++)
        if (uses->items[i].user == user && host_port_overlaps(&uses->items[i].port, port))
            return &uses->items[i];
    return NULL;
}

const struct port_use *port_find_other_replica(const struct port_uses *uses, const struct host_port *port,
                                               const char *instance, int64_t replica_id)
{
    for (size_t i = 0; i < uses->n_items; i++) {
        const struct port_use *use = &uses->items[i];
        if (use->user == PORT_OF_REPLICA && (use->replica_id != replica_id || !streq(use->name, instance)) &&
            host_port_overlaps(&use->port, port))
            return use;
    }
    return NULL;
}

static bool is_in_use(const struct port_uses *uses, const struct host_port *port)
{
    for (size_t i = 0; i < uses->n_items; i++)
        if (host_port_overlaps(&uses->items[i].port, port))
            return true;
    return false;
}

static bool replica_has(const struct record_replica *replica, const struct host_port *port)
{
    for (size_t i = 0; i < replica->n_ports; i++) {
        struct host_port own = host_port_of(replica->ports[i]);
        if (host_port_overlaps(&own, port))
            return true;
    }
    return false;
}

/* Reports whether a replica of the record that is being made has the port. */
static bool record_has(const struct record *record, const struct host_port *port)
{
    for (size_t i = 0; i < record->n_replicas; i++)
        if (replica_has(record->replicas[i], port))
            return true;
    return false;
}

/* Reports whether the manifest states this very port for one of its replicas, perhaps a later one. */
static bool manifest_states(const struct app_manifest *manifest, const struct host_port *port)
{
    const struct app_deploy *deploy = manifest->app->deploy;
    for (size_t i = 0; i < deploy->n_replicas; i++)
        for (size_t k = 0; k < deploy->replicas[i]->n_service_ports; k++) {
            const struct app_service_port *p = deploy->replicas[i]->service_ports[k];
            struct host_port stated = host_port_of(p);
            if (p->host_port && !p->host_port_last && host_port_overlaps(&stated, port))
                return true;
        }
    return false;
}

/* Finds a free port of the range at the address and for the protocol of 'port', and stores its number there.
 */
static int allocate(const struct assignment *a, const struct port_range *range,
                    const struct record_replica *fresh, struct host_port *port, struct error *e)
{
    for (port->port = range->low; port->port <= range->high; port->port++)
        if (!replica_has(fresh, port) && !record_has(a->record, port) && !is_in_use(a->uses, port) &&
            !manifest_states(a->manifest, port))
            return 0;
    return error_refuse(e, EADDRINUSE, "no host port is free between %lld and %lld%s", (long long)range->low,
                        (long long)range->high, port->udp ? " (udp)" : "");
}

/* Finds the binding of a port by number and name, since two ports of a spec may have one number. */
static const struct app_service_port *find_binding(struct app_service_port *const *bindings, size_t n,
                                                   const struct app_spec_port *port)
{
    for (size_t i = 0; i < n; i++)
        if (bindings[i]->port == port->port && streq_null(bindings[i]->name, port->name))
            return bindings[i];
    return NULL;
}

static bool spec_has(const struct app_spec *spec, const struct app_service_port *binding)
{
    for (size_t i = 0; i < spec->n_service_ports; i++)
        if (spec->service_ports[i]->port == binding->port &&
            streq_null(spec->service_ports[i]->name, binding->name))
            return true;
    return false;
}

const struct app_service_port *port_of_replica(const struct record_replica *replica,
                                               const struct app_spec *spec, const struct app_spec_port *port)
{
    const struct app_service_port *found = find_binding(replica->ports, replica->n_ports, port);
    /* A port that was only renamed keeps its host port. */
    for (size_t i = 0; !found && i < replica->n_ports; i++)
        if (replica->ports[i]->port == port->port && !spec_has(spec, replica->ports[i]))
            found = replica->ports[i];
    return found;
}

const struct app_service_port *port_wished(const struct app_manifest *manifest, int64_t replica_id,
                                           const struct app_spec_port *port)
{
    const struct app_replica *wish = app_find_replica(manifest, replica_id);
    const struct app_service_port *p =
        wish ? find_binding(wish->service_ports, wish->n_service_ports, port) : NULL;
    return p && p->host_port ? p : NULL;
}

static bool is_single(const struct app_manifest *manifest)
{
    return manifest->app->deploy->n_replicas <= 1;
}

/* Reports whether a port that the replica has can stay where the manifest states a range, or nothing (NULL):
 * the protocol and the address are the same, the number is in the range, and the manifest does not give it
 * away. */
static bool can_stay(const struct app_manifest *manifest, const struct app_service_port *had,
                     const struct app_service_port *wish)
{
    static const struct app_service_port anything = {.host_port = 1, .host_port_last = 65535};
    const struct app_service_port *w = wish ?: &anything;
    if (!had || had->host_port < w->host_port || had->host_port > w->host_port_last ||
        had->protocol != w->protocol || !streq_null(had->host_address, w->host_address))
        return false;
    struct host_port port = host_port_of(had);
    return !manifest_states(manifest, &port);
}

static bool is_same(const struct host_port *a, const struct host_port *b)
{
    return a->port == b->port && a->udp == b->udp && a->v6 == b->v6 &&
           IN6_ARE_ADDR_EQUAL(&a->address, &b->address);
}

static bool has_another(const struct record_replica *replica, const struct host_port *port,
                        const struct host_port *but)
{
    for (size_t i = 0; i < replica->n_ports; i++) {
        struct host_port own = host_port_of(replica->ports[i]);
        if (host_port_overlaps(&own, port) && !is_same(&own, but))
            return true;
    }
    return false;
}

/* Reports whether a use is that of the replica's port 'before': its own, or the listener of its container. */
static bool is_of(const struct port_use *use, const char *instance, int64_t replica_id,
                  const struct host_port *before)
{
    bool replica =
        use->user == PORT_OF_REPLICA && use->replica_id == replica_id && streq(use->name, instance);
    return (replica || use->user == PORT_OF_LISTENER) && is_same(&use->port, before);
}

/* Reports whether a port that the replica has can keep its number in the range that the manifest states for
 * another address or protocol: nothing but the port itself is in the way there. Stores the number in '*port'.
 */
static bool can_move(const struct assignment *a, const struct record_replica *replica,
                     const struct record_replica *fresh, const struct app_service_port *had,
                     const struct app_service_port *wish, struct host_port *port)
{
    if (!had || had->host_port < wish->host_port || had->host_port > wish->host_port_last)
        return false;
    struct host_port before = host_port_of(had);
    port->port = had->host_port;
    if (replica_has(fresh, port) || manifest_states(a->manifest, port))
        return false;
    for (size_t i = 0; i < a->record->n_replicas; i++) {
        const struct record_replica *other = a->record->replicas[i];
        if (other == replica ? has_another(other, port, &before) : replica_has(other, port))
            return false;
    }
    const char *instance = app_instance_name(a->manifest);
    for (size_t i = 0; i < a->uses->n_items; i++)
        if (host_port_overlaps(&a->uses->items[i].port, port) &&
            !is_of(&a->uses->items[i], instance, replica->id, &before))
            return false;
    return true;
}

/* Selects the host port of one port. 'fresh' has those that were selected for the replica before. */
static int select_port(const struct assignment *a, const struct record_replica *replica,
                       const struct record_replica *fresh, const struct app_spec_port *port,
                       struct app_service_port *ret, struct error *e)
{
    const struct app_service_port *wish = port_wished(a->manifest, replica->id, port),
                                  *had = port_of_replica(replica, a->manifest->app->spec, port);
    struct host_port chosen = host_port_at(wish ? wish->protocol : 0, wish ? wish->host_address : NULL, 0);
    int r = 0;
    if (wish && !wish->host_port_last)
        chosen.port = wish->host_port;
    else if (can_stay(a->manifest, had, wish))
        chosen.port = had->host_port;
    else if (wish && !can_move(a, replica, fresh, had, wish, &chosen))
        r = allocate(a, &(struct port_range){wish->host_port, wish->host_port_last}, fresh, &chosen, e);
    else if (!wish && is_single(a->manifest))
        chosen.port = port->port;
    else if (!wish)
        r = allocate(a, a->range, fresh, &chosen, e);
    if (r < 0)
        return r;
    *ret = (struct app_service_port){.name = xstrdup_null(port->name),
                                     .port = port->port,
                                     .host_port = chosen.port,
                                     .protocol = wish ? wish->protocol : APP_PROTOCOL_ABSENT,
                                     .host_address = xstrdup_null(wish ? wish->host_address : NULL)};
    return 0;
}

static void exchange_ports(struct record_replica *a, struct record_replica *b)
{
    struct app_service_port **ports = a->ports;
    size_t n = a->n_ports;
    a->ports = b->ports;
    a->n_ports = b->n_ports;
    b->ports = ports;
    b->n_ports = n;
}

static int assign_replica(const struct assignment *a, struct record_replica *replica, struct error *e)
{
    const struct app_spec *spec = a->manifest->app->spec;
    struct record_replica fresh = {.id = replica->id};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < spec->n_service_ports; i++) {
        struct app_service_port chosen = {.name = NULL};
        r = select_port(a, replica, &fresh, spec->service_ports[i], &chosen, e);
        if (r >= 0)
            *(struct app_service_port *)schema_append(&fresh.ports, &fresh.n_ports, sizeof chosen) = chosen;
    }
    if (r >= 0)
        exchange_ports(replica, &fresh);
    schema_done(&record_replica_schema, &fresh);
    return r;
}

int ports_assign(const struct port_uses *uses, const struct port_range *range, struct record *record,
                 const struct app_manifest *manifest, bool changed, struct error *e)
{
    const struct app_deploy *deploy = manifest->app->deploy;
    const struct assignment a = {uses, range, record, manifest};
    int r = 0;
    for (size_t i = 0; i < record->n_replicas; i++)
        record->replicas[i]->removing = !app_find_replica(manifest, record->replicas[i]->id);
    for (size_t i = 0; r >= 0 && i < deploy->n_replicas; i++) {
        struct record_replica *replica = record_find_replica(record, deploy->replicas[i]->id);
        bool fresh = !replica;
        if (fresh)
            replica = record_add_replica(record, deploy->replicas[i]->id);
        if (fresh || changed)
            r = assign_replica(&a, replica, e);
    }
    return r;
}
