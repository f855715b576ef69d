/* Host ports: which one each port of a replica gets, and whether somebody listens there already. */
#include "reconciler/rules/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/app/app.h"
#include "lib/basic/cleanup.h"
#include "reconciler/model/unreadable.h"

bool port_is_listened_on(int64_t port)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        _cleanup_fclose_ FILE *f = fopen(tables[i], "re");
        char line[512];
        while (f && fgets(line, sizeof line, f)) {
            unsigned local, state;
            /* "sl: ADDRESS:PORT ADDRESS:PORT STATE …", 0A is listening. */
            if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 &&
                state == 0x0a && local == (unsigned)port)
                return true;
        }
    }
    return false;
}

const struct instance *port_owner(const struct manager *m, int64_t port, const struct record_replica *except,
                                  int64_t *ret_replica)
{
    for (const struct instance *i = m->instances; i; i = i->next)
        for (size_t k = 0; k < i->record->n_replicas; k++) {
            const struct record_replica *r = i->record->replicas[k];
            for (size_t n = 0; r != except && n < r->n_ports; n++)
                if (r->ports[n]->host_port == port) {
                    *ret_replica = r->id;
                    return i;
                }
        }
    return NULL;
}

/* Whether a replica of the record that is being made has the port: the manager does not know that record yet.
 */
static bool taken_in(const struct record *record, int64_t port)
{
    for (size_t i = 0; i < record->n_replicas; i++)
        for (size_t k = 0; k < record->replicas[i]->n_ports; k++)
            if (record->replicas[i]->ports[k]->host_port == port)
                return true;
    return false;
}

static int allocate(struct manager *m, const struct record *record, const struct record_replica *replica,
                    int64_t *ret, struct error *e)
{
    int64_t low, high, other;
    config_range(m->context->config, "reconciler", "host_ports", &low, &high);
    for (int64_t port = low; port <= high; port++) {
        bool own = false;
        for (size_t i = 0; i < replica->n_ports; i++)
            own |= replica->ports[i]->host_port == port;
        if (!own && !taken_in(record, port) && !port_owner(m, port, NULL, &other) &&
            !unreadable_owner(m, port) && !port_is_listened_on(port)) {
            *ret = port;
            return 0;
        }
    }
    return error_refuse(e, EADDRINUSE, "no host port is free between %lld and %lld", (long long)low,
                        (long long)high);
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

/* What the manifest says wins; else what the replica has already; else 1:1 for a single replica; else one of
 * the range. */
int ports_resolve(struct manager *m, const struct record *record, const struct app_manifest *manifest,
                  struct record_replica *replica, struct error *e)
{
    const struct app_spec *spec = manifest->app->spec;
    struct record_replica fresh = {.id = replica->id};
    bool single = manifest->app->deploy->n_replicas <= 1;
    int r = 0;
    for (size_t i = 0; r >= 0 && i < spec->n_service_ports; i++) {
        int64_t port = spec->service_ports[i]->port, host_port = port_wished(manifest, replica->id, port);
        const struct app_service_port *had = find_port(replica->ports, replica->n_ports, port);
        if (host_port == 0 && had)
            host_port = had->host_port;
        if (host_port == 0 && single)
            host_port = port;
        if (host_port == 0)
            r = allocate(m, record, &fresh, &host_port, e);
        if (r < 0)
            break;
        struct app_service_port *p = schema_append(&fresh.ports, &fresh.n_ports, sizeof *p);
        p->name = xstrdup_null(spec->service_ports[i]->name);
        p->port = port;
        p->host_port = host_port;
    }
    if (r < 0) {
        schema_done(&record_replica_schema, &fresh);
        return r;
    }
    struct app_service_port **ports = replica->ports;
    size_t n = replica->n_ports;
    replica->ports = fresh.ports;
    replica->n_ports = fresh.n_ports;
    fresh.ports = ports;
    fresh.n_ports = n;
    schema_done(&record_replica_schema, &fresh);
    return 0;
}
