/* From a revision of an instance to what the workers are asked for: a container, and app_replica.json. */
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/manager.h"

static const struct app_options *options_of(const struct record_revision *revision)
{
    static const struct app_options none = {.init = APP_INIT_NONE};
    return revision && revision->manifest->hostlet ? revision->manifest->hostlet : &none;
}

int64_t stop_timeout_msec(const struct replica *replica)
{
    const struct app_options *o = options_of(instance_target(replica->instance));
    return o->stop_timeout_msec
               ?: (int64_t)config_duration(replica->instance->manager->context->config, "reconciler",
                                           "stop_timeout") /
                      1000;
}

uint64_t replica_probation_msec(const struct replica *replica)
{
    const struct app_options *o = options_of(instance_target(replica->instance));
    return o->probation_given
               ? (uint64_t)o->probation_msec
               : config_duration(replica->instance->manager->context->config, "reconciler", "probation") /
                     1000;
}

struct port_list replica_ports(const struct replica *replica, int64_t revision)
{
    const struct record_replica *r = replica->record;
    if (revision != replica->instance->record->revision)
        return (struct port_list){r->applied_ports, r->n_applied_ports};
    return (struct port_list){r->ports, r->n_ports};
}

/* Of the revision's own manifest, since a switch that is undone brings the old address back. */
const char *replica_vpc_ipv4(const struct replica *replica, const struct record_revision *revision)
{
    const struct app_replica *wish =
        app_find_replica_of(revision->manifest, replica->record->id, instance_host_id(replica->instance));
    const char *address = wish ? wish->vpc_ipv4 : replica->record->vpc_ipv4;
    return address && *address ? address : NULL;
}

struct driver_create_in *make_create(const struct replica *replica, const struct record_revision *revision)
{
    struct driver_create_in *c = xcalloc(1, sizeof *c);
    const struct app_instance *app = revision->manifest->app;
    const struct app_options *o = options_of(revision);
    const struct prepare *p = prepare_find(replica->instance, revision->revision);
    c->instance = xstrdup(replica->instance->record->name);
    c->replica_id = replica->record->id;
    c->revision = revision->revision;
    c->image = xstrdup(p && p->image ? p->image : app->spec->image ?: "");
    c->host_id = xstrdup(instance_host_id(replica->instance));
    c->init = o->init == APP_INIT_IMAGE ? APP_INIT_IMAGE : APP_INIT_INAGENT;
    for (size_t i = 0; i < o->n_command; i++)
        schema_append_string(&c->command, &c->n_command, o->command[i]);
    for (size_t i = 0; i < o->n_env; i++)
        schema_map_set(&c->env, &c->n_env, o->env[i].key, o->env[i].value);
    c->cpu_limit = app->deploy ? app->deploy->cpu_limit : 0;
    c->memory_limit = app->deploy ? app->deploy->memory_limit : 0;
    c->pids_limit = o->pids_limit ?: c->init == APP_INIT_IMAGE ? 1000 : 100;
    c->stop_timeout_msec = stop_timeout_msec(replica);
    c->probation_msec = (int64_t)replica_probation_msec(replica);
    for (size_t i = 0; i < o->n_capabilities; i++)
        schema_append_string(&c->capabilities, &c->n_capabilities, o->capabilities[i]);
    c->read_only = o->read_only;
    c->no_new_privileges = o->no_new_privileges;
    struct port_list ports = replica_ports(replica, revision->revision);
    for (size_t i = 0; i < ports.n_items; i++) {
        struct driver_port *port = schema_append(&c->ports, &c->n_ports, sizeof *port);
        port->port = ports.items[i]->port;
        port->host_port = ports.items[i]->host_port;
    }
    for (size_t i = 0; i < revision->n_packages; i++) {
        struct driver_package *package = schema_append(&c->packages, &c->n_packages, sizeof *package);
        package->name = xstrdup(revision->packages[i]->name);
        package->id = xstrdup(revision->packages[i]->id);
    }
    const struct reconciler_zone_facts *zone = replica->instance->manager->zone;
    c->vpc_ipv4 = xstrdup_null(replica_vpc_ipv4(replica, revision));
    c->vpc_cidr = c->vpc_ipv4 && zone ? xstrdup_null(zone->vpc_instance_cidr) : NULL;
    /* Of a zone's instance the number does not stand for the image: that may change under it. */
    c->config = create_config(c, record_is_zone(replica->instance->record) ? app->spec->image : NULL);
    return c;
}

void free_create(struct driver_create_in *create)
{
    schema_free(&driver_create_schema, create);
}

/* FNV-1a of the packed request, less what may change without a new container and less the name by which the
 * image is addressed now (the revision stands for the image, unless 'image' is given, as of a zone's
 * instance: the limits may then change under the revision, and it is replica_drifted() that tells whether by
 * enough). Equality among our own containers is all it is for. */
char *create_config(const struct driver_create_in *create, const char *image)
{
    struct driver_create_in copy = *create;
    copy.stop_timeout_msec = copy.probation_msec = 0;
    copy.config = (char *)"";
    copy.vpc_cidr = NULL; /* the address counts */
    copy.image = (char *)(image ?: "");
    if (image)
        copy.cpu_limit = copy.memory_limit = 0;
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&driver_create_schema, &copy, &size);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return xasprintf("%016llx", (unsigned long long)hash);
}

static void fill_replica(struct app_replica *to, const struct replica *from, int64_t revision)
{
    struct port_list ports = replica_ports(from, revision);
    set_string(&to->host_id, instance_host_id(from->instance));
    for (size_t i = 0; i < to->n_service_ports; i++)
        schema_free(&app_service_port_schema, to->service_ports[i]);
    to->n_service_ports = 0;
    for (size_t i = 0; i < ports.n_items; i++) {
        struct app_service_port *port = schema_append(&to->service_ports, &to->n_service_ports, sizeof *port);
        schema_copy(&app_service_port_schema, ports.items[i], port);
    }
}

/* A manifest of our own: what a zone would say of its replicas. */
static void fill_deploy(const struct instance *instance, struct app_deploy *deploy, int64_t revision)
{
    deploy->revision = revision;
    deploy->replica_cap = (int64_t)deploy->n_replicas;
    for (size_t i = 0; i < deploy->n_replicas; i++) {
        const struct replica *other =
            instance_find_replica((struct instance *)instance, deploy->replicas[i]->id);
        if (other)
            fill_replica(deploy->replicas[i], other, revision);
    }
}

/* Where inagent reports to, with the replica's own secret. */
static void fill_zone(const struct replica *replica, struct app_replica_instance *file)
{
    const struct reconciler_zone_facts *zone = replica->instance->manager->zone;
    if (!zone)
        return;
    file->zone_base_domain = xstrdup_null(zone->base_domain);
    char *secret = zone->status_url ? replica_secret(replica) : NULL;
    if (!secret)
        return;
    file->hostlet_endpoint = xcalloc(1, sizeof *file->hostlet_endpoint);
    file->hostlet_endpoint->url = xstrdup(zone->status_url);
    file->hostlet_endpoint->secret_key = secret;
}

struct app_replica_instance *make_replica_file(const struct replica *replica,
                                               const struct record_revision *revision)
{
    const struct instance *instance = replica->instance;
    bool zone = record_is_zone(instance->record);
    const struct app_replica *own =
        zone ? app_find_replica_of(revision->manifest, replica->record->id, instance_host_id(instance))
             : NULL;
    struct app_replica_instance *file = xcalloc(1, sizeof *file);
    file->app = xcalloc(1, sizeof *file->app);
    schema_copy(&app_instance_schema, revision->manifest->app, file->app);
    if (!zone)
        fill_deploy(instance, file->app->deploy, revision->revision);
    file->replica = xcalloc(1, sizeof *file->replica);
    if (own)
        schema_copy(&app_replica_schema, own, file->replica);
    file->replica->id = replica->record->id;
    if (!own)
        fill_replica(file->replica, replica, revision->revision);
    set_string(&file->replica->state, "starting");
    fill_zone(replica, file);
    return file;
}
