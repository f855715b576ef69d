/* Implements ports.h. */
#include "reconciler/rules/ports.h"

#include <errno.h>

#include "lib/app/name.h"
#include "lib/basic/util.h"
#include "lib/schema/object.h"

const struct port_use *port_find_use(const struct port_uses *uses, int64_t port, enum port_user user)
{
    for (size_t i = 0; i < uses->n_items; i++)
        if (uses->items[i].port == port && uses->items[i].user == user)
            return &uses->items[i];
    return NULL;
}

const struct port_use *port_find_other_replica(const struct port_uses *uses, int64_t port,
                                               const char *instance, int64_t replica_id)
{
    for (size_t i = 0; i < uses->n_items; i++) {
        const struct port_use *use = &uses->items[i];
        if (use->port == port && use->user == PORT_OF_REPLICA &&
            (use->replica_id != replica_id || !streq(use->instance, instance)))
            return use;
    }
    return NULL;
}

static bool is_in_use(const struct port_uses *uses, int64_t port)
{
    for (size_t i = 0; i < uses->n_items; i++)
        if (uses->items[i].port == port)
            return true;
    return false;
}

static bool replica_has(const struct record_replica *replica, int64_t port)
{
    for (size_t i = 0; i < replica->n_ports; i++)
        if (replica->ports[i]->host_port == port)
            return true;
    return false;
}

/* Reports whether a replica of the record that is being made has the port. */
static bool record_has(const struct record *record, int64_t port)
{
    for (size_t i = 0; i < record->n_replicas; i++)
        if (replica_has(record->replicas[i], port))
            return true;
    return false;
}

static int allocate(const struct port_uses *uses, const struct port_range *range, const struct record *record,
                    const struct record_replica *fresh, int64_t *ret, struct error *e)
{
    for (int64_t port = range->low; port <= range->high; port++)
        if (!replica_has(fresh, port) && !record_has(record, port) && !is_in_use(uses, port)) {
            *ret = port;
            return 0;
        }
    return error_refuse(e, EADDRINUSE, "no host port is free between %lld and %lld", (long long)range->low,
                        (long long)range->high);
}

static const struct app_service_port *find_port(struct app_service_port *const *ports, size_t n, int64_t port)
{
    for (size_t i = 0; i < n; i++)
        if (ports[i]->port == port)
            return ports[i];
    return NULL;
}

int64_t port_wished(const struct app_manifest *manifest, int64_t replica_id, int64_t port)
{
    const struct app_replica *wish = app_find_replica(manifest, replica_id);
    const struct app_service_port *p =
        wish ? find_port(wish->service_ports, wish->n_service_ports, port) : NULL;
    return p ? p->host_port : 0;
}

static bool is_single(const struct app_manifest *manifest)
{
    return manifest->app->deploy->n_replicas <= 1;
}

bool ports_may_be_allocated(const struct app_manifest *manifest)
{
    return manifest->app->spec->n_service_ports > 0 && !is_single(manifest);
}

/* Returns the host port if it needs no allocation; 0: it does. */
static int64_t fixed_port(const struct app_manifest *manifest, const struct record_replica *replica,
                          int64_t port)
{
    int64_t wished = port_wished(manifest, replica->id, port);
    if (wished)
        return wished;
    const struct app_service_port *had = find_port(replica->ports, replica->n_ports, port);
    if (had && had->host_port)
        return had->host_port;
    return is_single(manifest) ? port : 0;
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

int ports_resolve(const struct port_uses *uses, const struct port_range *range, const struct record *record,
                  const struct app_manifest *manifest, struct record_replica *replica, struct error *e)
{
    const struct app_spec *spec = manifest->app->spec;
    struct record_replica fresh = {.id = replica->id};
    int r = 0;
    for (size_t i = 0; i < spec->n_service_ports; i++) {
        const struct app_spec_port *wanted = spec->service_ports[i];
        int64_t host_port = fixed_port(manifest, replica, wanted->port);
        if (host_port == 0)
            r = allocate(uses, range, record, &fresh, &host_port, e);
        if (r < 0)
            break;
        struct app_service_port *p = schema_append(&fresh.ports, &fresh.n_ports, sizeof *p);
        p->name = xstrdup_null(wanted->name);
        p->port = wanted->port;
        p->host_port = host_port;
    }
    if (r >= 0)
        exchange_ports(replica, &fresh);
    schema_done(&record_replica_schema, &fresh);
    return r;
}
