/* Implements wish.h. */
#include "reconciler/model/wish.h"

#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/app/normalise.h"
#include "lib/app/zone.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/hash.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

struct record_revision *instance_target(const struct instance *instance)
{
    return record_find_revision(instance->record, instance->record->revision);
}

static const struct app_options *options_of(const struct record_revision *revision)
{
    static const struct app_options none = {.init = APP_INIT_NONE};
    return revision && revision->manifest->hostlet ? revision->manifest->hostlet : &none;
}

bool has_agent(const struct record_revision *revision)
{
    const struct app_options *o = revision ? revision->manifest->hostlet : NULL;
    return !o || o->init != APP_INIT_IMAGE;
}

bool has_data(const struct record_revision *revision)
{
    return has_agent(revision) || revision->n_volumes > 0 || revision->manifest->hostlet->n_volumes > 0;
}

static bool has_path(char *const *paths, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (streq(paths[i], path))
            return true;
    return false;
}

char **volumes_of(const struct record_revision *revision, size_t *ret_n)
{
    const struct app_options *o = options_of(revision);
    char **paths = xcalloc(o->n_volumes + revision->n_volumes + 1, sizeof *paths);
    size_t n = 0;
    for (size_t i = 0; i < o->n_volumes; i++)
        paths[n++] = o->volumes[i];
    for (size_t i = 0; i < revision->n_volumes; i++)
        if (!has_path(o->volumes, o->n_volumes, revision->volumes[i]))
            paths[n++] = revision->volumes[i];
    *ret_n = n;
    return paths;
}

/* Returns the action for an instance or replica that the zone no longer assigns, by the setting 'unassigned'.
 */
static enum app_action unassigned_action(const struct instance *instance)
{
    const struct settings *settings = &instance->manager->settings;
    const char *policy =
        record_is_zone(instance->record) ? settings->unassigned : settings->manifests_removed;
    enum app_action action = (enum app_action)instance->record->action;
    if (streq(policy, "keep") || action == APP_ACTION_DESTROY)
        return action;
    return (enum app_action)schema_enum_value(&app_action_enum, policy);
}

enum app_action instance_action(const struct instance *instance)
{
    const struct record *record = instance->record;
    if (record->hold && record->hold_action)
        return (enum app_action)record->hold_action;
    return record->unassigned && !record->hold ? unassigned_action(instance)
                                               : (enum app_action)record->action;
}

static enum app_action replica_action(const struct replica *replica)
{
    const struct instance *instance = replica->instance;
    if (replica->record->removing)
        return APP_ACTION_DESTROY;
    if (replica->record->unassigned && !instance->record->hold)
        return unassigned_action(instance);
    return instance_action(instance);
}

int64_t instance_revision(const struct instance *instance)
{
    return record_is_zone(instance->record) ? instance->record->order : instance->record->revision;
}

const char *instance_host_id(const struct instance *instance)
{
    const struct manager *m = instance->manager;
    return record_is_zone(instance->record) && m->zone ? m->zone->host_id : m->host_id;
}

char *manifest_path(const struct manager *m, const char *name)
{
    const char *directory = m->settings.manifests ?: "";
    size_t n = strlen(directory);
    while (n > 1 && directory[n - 1] == '/')
        n--;
    return n > 0 ? xasprintf("%.*s/%s.json", (int)n, directory, name) : NULL;
}

bool instance_is_ordered(const struct instance *instance)
{
    const struct record *record = instance->record;
    if (!record_is_directory(record))
        return record_is_zone(record);
    _cleanup_free_ char *path = manifest_path(instance->manager, record->name);
    return !record->unassigned && path && streq_null(path, record->file);
}

bool replica_stays_known(const struct replica *replica)
{
    const struct record *record = replica->instance->record;
    return instance_is_ordered(replica->instance) && !record->unassigned && !replica->record->unassigned &&
           !replica->record->removing;
}

bool instance_is_over(const struct instance *instance)
{
    const struct record *record = instance->record;
    return instance->n_replicas == 0 && instance_action(instance) == APP_ACTION_DESTROY &&
           (!instance_is_ordered(instance) || record->unassigned);
}

enum want replica_want(const struct replica *replica)
{
    switch (replica_action(replica)) {
    case APP_ACTION_DESTROY:
        return WANT_GONE;
    case APP_ACTION_STOP:
        return WANT_STOP;
    case APP_ACTION_NONE:
        return WANT_NOTHING;
    default:
        return WANT_RUN;
    }
}

bool replica_keeps_applied(const struct replica *replica)
{
    const struct record *record = replica->instance->record;
    int64_t applied = replica->record->applied_revision;
    /* A failed switch is not retried without a request, and a replica that is no longer assigned does not
     * follow the others. */
    return (replica->record->failed_revision == record->revision || replica->record->unassigned) &&
           applied != 0 && record_find_revision(record, applied);
}

int64_t replica_target_revision(const struct replica *replica)
{
    const struct record *record = replica->instance->record;
    if (replica->target != 0 && record_find_revision(record, replica->target))
        return replica->target;
    return replica_keeps_applied(replica) ? replica->record->applied_revision : record->revision;
}

const struct record_revision *target_of(const struct replica *r)
{
    return record_find_revision(r->instance->record, replica_target_revision(r));
}

char *container_name(const struct replica *r)
{
    return xasprintf("i8k_%s_%lld", r->instance->record->name, (long long)r->record->id);
}

const char *instance_blocked(const struct instance *instance)
{
    const struct manager *m = instance->manager;
    if (record_is_zone(instance->record))
        return m->zone ? NULL : m->facts_problem;
    return m->host_id_problem;
}

int64_t stop_timeout_msec(const struct replica *replica)
{
    const struct app_options *o = options_of(instance_target(replica->instance));
    return o->stop_timeout_msec ?: replica->instance->manager->settings.stop_timeout_msec;
}

uint64_t replica_probation_msec(const struct replica *replica)
{
    const struct app_options *o = options_of(instance_target(replica->instance));
    return o->probation_given ? (uint64_t)o->probation_msec
                              : replica->instance->manager->settings.probation_msec;
}

struct port_list replica_ports(const struct replica *replica, int64_t revision)
{
    const struct record_replica *r = replica->record;
    if (revision != replica->instance->record->revision)
        return (struct port_list){r->applied_ports, r->n_applied_ports};
    return (struct port_list){r->ports, r->n_ports};
}

const char *replica_vpc_ipv4(const struct replica *replica, const struct record_revision *revision)
{
    const struct app_replica *wish =
        app_find_replica_of(revision->manifest, replica->record->id, instance_host_id(replica->instance));
    const char *address = wish ? wish->vpc_ipv4 : replica->record->vpc_ipv4;
    return address && *address ? address : NULL;
}

/* Returns a hash of what a container is made from; two containers of this tree with equal hashes need not
 * replace each other. The caller frees it.
 *
 * The hash leaves out the timeouts, which can change without a new container, the limits, which are set while
 * it runs, and the reference and volumes of the image, since the revision stands for them, and a container
 * that was made without volumes runs on. In a zone's instance the image can change under the same revision:
 * 'image' is then given and included. 'limits' are those that earlier versions included; NULL: none. */
static char *create_config(const struct driver_create_in *create, const char *image,
                           const struct record_limits *limits)
{
    struct driver_create_in copy = *create;
    copy.stop_timeout_msec = copy.probation_msec = 0;
    copy.config = (char *)"";
    copy.vpc_cidr = NULL; /* the address is included */
    copy.vpc_mtu = 0;     /* a container stays in the network as it is */
    copy.vpc_masqueraded = false;
    copy.image = (char *)(image ?: "");
    copy.n_volumes = 0;
    copy.cpu_limit = limits ? limits->cpu_limit : 0;
    copy.memory_limit = limits ? limits->memory_limit : 0;
    copy.pids_limit = limits ? limits->pids_limit : 0;
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&driver_create_schema, &copy, &size);
    return xasprintf("%016llx", (unsigned long long)fnv1a(FNV1A_BEGIN, text, size));
}

static const char *image_in_config(const struct replica *replica, const struct record_revision *revision)
{
    return record_is_zone(replica->instance->record) ? revision->manifest->app->spec->image : NULL;
}

const char *desired_label(const struct replica *replica, const struct record_revision *revision,
                          const struct driver_create_in *create)
{
    const char *label = replica->seen.current.config;
    if (!label || streq(label, create->config))
        return create->config;
    /* Earlier versions made a new revision for other limits, except in a zone's instance, where the label had
     * only the limit of processes. */
    const char *image = image_in_config(replica, revision);
    struct record_limits limits = record_limits_of(revision->manifest);
    if (revision->first_limits)
        limits = *revision->first_limits;
    if (image)
        limits.cpu_limit = limits.memory_limit = 0;
    _cleanup_free_ char *earlier = create_config(create, image, &limits);
    return streq(label, earlier) ? label : create->config;
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
    struct record_limits limits = record_limits_of(revision->manifest);
    c->cpu_limit = limits.cpu_limit;
    c->memory_limit = limits.memory_limit;
    c->pids_limit = limits.pids_limit;
    c->stop_timeout_msec = stop_timeout_msec(replica);
    const struct app_task *ready = app_ready_task(app->spec);
    c->probation_msec =
        ready ? (ready->ready_timeout ?: APP_READY_TIMEOUT) * 1000 : (int64_t)replica_probation_msec(replica);
    for (size_t i = 0; i < o->n_capabilities; i++)
        schema_append_string(&c->capabilities, &c->n_capabilities, o->capabilities[i]);
    c->read_only = o->read_only;
    c->no_new_privileges = o->no_new_privileges;
    struct port_list ports = replica_ports(replica, revision->revision);
    for (size_t i = 0; i < ports.n_items; i++) {
        struct driver_port *port = schema_append(&c->ports, &c->n_ports, sizeof *port);
        port->port = ports.items[i]->port;
        port->host_port = ports.items[i]->host_port;
        port->protocol = ports.items[i]->protocol;
        port->host_address = xstrdup_null(ports.items[i]->host_address);
    }
    for (size_t i = 0; i < revision->n_packages; i++) {
        struct driver_package *package = schema_append(&c->packages, &c->n_packages, sizeof *package);
        package->name = xstrdup(revision->packages[i]->name);
        package->id = xstrdup(revision->packages[i]->id);
    }
    size_t n_volumes;
    _cleanup_free_ char **volumes = volumes_of(revision, &n_volumes);
    for (size_t i = 0; i < n_volumes; i++)
        schema_append_string(&c->volumes, &c->n_volumes, volumes[i]);
    const struct reconciler_zone_facts *zone = replica->instance->manager->zone;
    c->vpc_ipv4 = xstrdup_null(replica_vpc_ipv4(replica, revision));
    c->vpc_cidr = c->vpc_ipv4 && zone ? xstrdup_null(zone->vpc_instance_cidr) : NULL;
    c->vpc_mtu = c->vpc_cidr && p ? p->vpc_mtu : 0;
    c->vpc_masqueraded = c->vpc_cidr && p && p->vpc_masqueraded;
    c->config = create_config(c, image_in_config(replica, revision), NULL);
    return c;
}

void free_create(struct driver_create_in *create)
{
    schema_free(&driver_create_schema, create);
}

struct drift_wish drift_wish_of(const struct replica *r, const struct record_revision *revision,
                                const struct driver_create_in *create)
{
    struct port_list ports = replica_ports(r, revision->revision);
    return (struct drift_wish){.revision = revision,
                               .config = desired_label(r, revision, create),
                               .vpc_ipv4 = replica_vpc_ipv4(r, revision),
                               .ports = ports.items,
                               .n_ports = ports.n_items};
}
