/* Implements plan_ports.h. */
#include "reconciler/rules/plan_ports.h"

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

/* Reports whether the machine has the port's address. All addresses of 127.0.0.0/8 belong to its loopback. */
static bool has_address(const struct host_addresses *addresses, const struct host_port *port)
{
    if (host_port_is_wide(port))
        return !port->v6 || addresses->has_v6;
    if (port->v6 ? addresses->any_v6 : addresses->any_v4 || port->address.s6_addr[12] == IN_LOOPBACKNET)
        return true;
    for (size_t i = 0; i < addresses->n; i++)
        if (IN6_ARE_ADDR_EQUAL(&addresses->items[i], &port->address))
            return true;
    return false;
}

/* Reports whether the listener is the one on a published port. The port of an adopted container may be
 * published on all addresses of both families, which counts as all IPv4 addresses. */
static bool listens_for(const struct host_port *listener, const struct host_port *port, bool adopted)
{
    if (listener->port != port->port || listener->udp != port->udp)
        return false;
    if (adopted && host_port_is_wide(listener) && host_port_is_wide(port))
        return true;
    return listener->v6 == port->v6 && IN6_ARE_ADDR_EQUAL(&listener->address, &port->address);
}

static bool is_of_container(const struct driver_container *c, const struct host_port *listener)
{
    for (size_t i = 0; i < c->n_ports; i++) {
        const struct driver_port *p = c->ports[i];
        struct host_port port = host_port_at(p->protocol, p->host_address, p->host_port);
        if (listens_for(listener, &port, c->adopted))
            return true;
    }
    return false;
}

static bool is_of_bindings(struct app_service_port *const *bindings, size_t n,
                           const struct host_port *listener)
{
    for (size_t i = 0; i < n; i++) {
        struct host_port port = host_port_of(bindings[i]);
        if (listens_for(listener, &port, true))
            return true;
    }
    return false;
}

/* Reports whether a container can have listeners: it runs, or it was started since it was listed. */
static bool can_listen(const struct plan_input *in, const struct driver_container *c)
{
    return driver_state_is_up((enum driver_state)c->state) || in->record->action == APP_ACTION_START;
}

/* Reports whether the listener is on a port of one of the instance's own containers, which ends with the
 * container. A port may move from one replica of an instance to another. */
static bool is_own_listener(const struct plan_input *in, const struct host_port *listener)
{
    for (size_t i = 0; in->record && i < in->n_containers; i++) {
        const struct driver_container *c = in->containers[i];
        if (c->ours && streq(c->instance, app_instance_name(in->manifest)) && can_listen(in, c) &&
            is_of_container(c, listener))
            return true;
    }
    /* Without the runtime's list, the record says what may be published. */
    for (size_t i = 0; in->record && in->unlisted && i < in->record->n_replicas; i++) {
        const struct record_replica *r = in->record->replicas[i];
        if (is_of_bindings(r->ports, r->n_ports, listener) ||
            is_of_bindings(r->applied_ports, r->n_applied_ports, listener))
            return true;
    }
    return false;
}

static bool has_foreign_listener(const struct plan_input *in, const struct host_port *port)
{
    for (size_t i = 0; i < in->ports->n_items; i++) {
        const struct port_use *use = &in->ports->items[i];
        if (use->user == PORT_OF_LISTENER && host_port_overlaps(&use->port, port) &&
            !is_own_listener(in, &use->port))
            return true;
    }
    return false;
}

/* Refuses a port that cannot be bound, because it is in use or because of its address. */
static void check_port(const struct plan_input *in, const struct record_replica *replica,
                       const struct host_port *port, struct reconciler_apply_out *out)
{
    char text[HOST_PORT_TEXT_SIZE];
    const char *name = app_instance_name(in->manifest);
    const struct port_use *unreadable = port_find_use(in->ports, port, PORT_OF_UNREADABLE),
                          *tree = port_find_use(in->ports, port, PORT_OF_TREE),
                          *other = port_find_other_replica(in->ports, port, name, replica->id);
    host_port_text(port, text);
    if (unreadable)
        plan_refuse(out, xasprintf("host port %s is in use by instance %s, whose record cannot be read", text,
                                   unreadable->name));
    else if (other && !streq(other->name, name))
        plan_refuse(out, xasprintf("host port %s is in use by instance %s, replica %lld", text, other->name,
                                   (long long)other->replica_id));
    else if (tree)
        plan_refuse(out, xasprintf("host port %s is hostlet's own (%s)", text, tree->name));
    else if (has_foreign_listener(in, port))
        plan_refuse(out, xasprintf("host port %s is in use by another program", text));
    else if (in->addresses && !has_address(in->addresses, port))
        plan_refuse(out, xasprintf("host port %s: this machine has no %s", text,
                                   !host_port_is_wide(port) ? "such address" : "IPv6 address"));
}

/* Reports whether the record's replica has this binding already. */
static bool is_known(const struct plan_input *in, int64_t id, const struct app_service_port *binding)
{
    const struct record_replica *before = in->record ? record_find_replica(in->record, id) : NULL;
    for (size_t i = 0; before && i < before->n_ports; i++)
        if (schema_equal(&app_service_port_schema, before->ports[i], binding))
            return true;
    return false;
}

/* Returns the binding that the manifest states for a port of a replica of the record; NULL: none. */
static const struct app_service_port *stated(const struct plan_input *in, int64_t id,
                                             const struct app_service_port *binding)
{
    const struct app_spec_port port = {.name = binding->name, .port = binding->port};
    return port_wished(in->manifest, id, &port);
}

void plan_check_ports(const struct plan_input *in, const struct record_replica *replica,
                      struct reconciler_apply_out *out)
{
    char text[HOST_PORT_TEXT_SIZE];
    for (size_t i = 0; i < replica->n_ports; i++) {
        const struct app_service_port *b = replica->ports[i];
        struct host_port port = host_port_of(b);
        if (stated(in, replica->id, b) || !is_known(in, replica->id, b))
            check_port(in, replica, &port, out);
        for (size_t k = 0; k < i; k++) {
            struct host_port other = host_port_of(replica->ports[k]);
            if (host_port_overlaps(&port, &other))
                plan_refuse(out, xasprintf("host port %s is both that of %s and that of %s",
                                           host_port_text(&port, text), replica->ports[k]->name, b->name));
        }
    }
}

void plan_tell_ports(const struct record_replica *replica, struct reconciler_apply_out *out)
{
    char text[HOST_PORT_TEXT_SIZE];
    for (size_t i = 0; i < replica->n_ports; i++) {
        const struct app_service_port *b = replica->ports[i];
        struct host_port port = host_port_of(b);
        _cleanup_free_ char *line = xasprintf("replica %lld: publishes %s %s->%lld", (long long)replica->id,
                                              b->name ?: "", host_port_text(&port, text), (long long)b->port);
        schema_append_string(&out->ports, &out->n_ports, line);
    }
}

struct record *plan_assign_ports(const struct plan_input *in, bool changed, struct reconciler_apply_out *out)
{
    struct record *next = xcalloc(1, sizeof *next);
    struct error e = ERROR_INIT;
    for (size_t i = 0; in->record && i < in->record->n_replicas; i++)
        schema_copy(&record_replica_schema, in->record->replicas[i],
                    schema_append(&next->replicas, &next->n_replicas, sizeof **next->replicas));
    if (ports_assign(in->ports, in->range, next, in->manifest, changed, &e) < 0)
        plan_refuse(out, xstrdup(e.message));
    return next;
}
