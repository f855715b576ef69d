/* Implements normalise.h. */
#include "lib/app/normalise.h"

#include <stdlib.h>

#include "lib/app/host_port.h"
#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/app/quantity.h"
#include "lib/app/volume.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

struct app_task *app_ready_task(const struct app_spec *spec)
{
    for (size_t i = 0; spec && i < spec->n_tasks; i++)
        if (spec->tasks[i]->ready == APP_READY_NOTIFY)
            return spec->tasks[i];
    return NULL;
}

static void clear_string(char **s)
{
    free(*s);
    *s = NULL;
}

/* Replaces an empty string by NULL: the contract omits zero values. */
static void drop_empty(char **s)
{
    if (*s && !**s)
        clear_string(s);
}

static void normalise_name(struct app_instance *app)
{
    char *name =
        xstrdup(app->meta && app->meta->name && *app->meta->name ? app->meta->name : app->spec->name);
    if (app->meta) {
        free(app->meta->id);
        free(app->meta->name);
        free(app->meta->user);
        free(app->meta);
    }
    app->meta = xcalloc(1, sizeof *app->meta);
    app->meta->name = name;
}

static int normalise_limits(struct app_spec *spec, struct app_deploy *deploy, struct error *e)
{
    int r;
    /* inagent requires this member, empty or not. */
    if (!spec->resources)
        spec->resources = xcalloc(1, sizeof *spec->resources);
    struct app_resources *resources = spec->resources;
    drop_empty(&resources->cpu_limit);
    drop_empty(&resources->memory_limit);
    drop_empty(&resources->volume_limit);
    if (deploy->cpu_limit == 0 && resources->cpu_limit &&
        (r = app_parse_cpu(resources->cpu_limit, &deploy->cpu_limit, e)) < 0)
        return error_prefix(e, "/app/spec/resources/cpu_limit");
    if (deploy->memory_limit == 0 && resources->memory_limit &&
        (r = app_parse_memory(resources->memory_limit, &deploy->memory_limit, e)) < 0)
        return error_prefix(e, "/app/spec/resources/memory_limit");
    if (deploy->volume_limit == 0 && resources->volume_limit &&
        (r = app_parse_memory(resources->volume_limit, &deploy->volume_limit, e)) < 0)
        return error_prefix(e, "/app/spec/resources/volume_limit");
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct app_replica *x = *(struct app_replica *const *)a, *y = *(struct app_replica *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

static const struct app_spec_port *find_port(const struct app_spec *spec, const struct app_service_port *p)
{
    for (size_t i = 0; i < spec->n_service_ports; i++)
        if (p->name && *p->name ? streq(spec->service_ports[i]->name, p->name)
                                : spec->service_ports[i]->port == p->port)
            return spec->service_ports[i];
    return NULL;
}

static int by_port(const void *a, const void *b)
{
    const struct app_service_port *x = *(struct app_service_port *const *)a,
                                  *y = *(struct app_service_port *const *)b;
    return x->port != y->port ? (x->port > y->port) - (x->port < y->port) : strcmp(x->name, y->name);
}

/* Gives the bindings the spec's port name and number and their normal form, removes those without a host
 * port, and sorts them by port. */
static void normalise_ports(const struct app_spec *spec, struct app_replica *replica)
{
    size_t n = 0;
    for (size_t i = 0; i < replica->n_service_ports; i++) {
        struct app_service_port *p = replica->service_ports[i];
        const struct app_spec_port *known = find_port(spec, p);
        if (p->host_port == 0 || !known) {
            schema_free(&app_service_port_schema, p);
            continue;
        }
        clear_string(&p->lan_addr);
        clear_string(&p->name);
        p->name = xstrdup(known->name);
        p->port = known->port;
        host_binding_normalise(p);
        replica->service_ports[n++] = p;
    }
    replica->n_service_ports = n;
    if (n > 0)
        qsort(replica->service_ports, n, sizeof *replica->service_ports, by_port);
    else {
        free(replica->service_ports);
        replica->service_ports = NULL;
    }
}

static void normalise_replicas(const struct app_spec *spec, struct app_deploy *deploy)
{
    if (deploy->n_replicas == 0)
        schema_append(&deploy->replicas, &deploy->n_replicas, sizeof **deploy->replicas);
    for (size_t i = 0; i < deploy->n_replicas; i++) {
        struct app_replica *replica = deploy->replicas[i];
        clear_string(&replica->host_id);
        clear_string(&replica->state);
        clear_string(&replica->vpc_ipv4);
        clear_string(&replica->host_ipv4);
        normalise_ports(spec, replica);
    }
    qsort(deploy->replicas, deploy->n_replicas, sizeof *deploy->replicas, by_id);
    deploy->replica_cap = (int64_t)deploy->n_replicas;
}

static struct app_config_value *find_value(struct app_config_value **values, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (streq(values[i]->name, name))
            return values[i];
    return NULL;
}

/* Gives settings without a value the spec's default, with their items. */
static void default_values(struct app_config_field *const *fields, size_t n_fields,
                           struct app_config_value ***values, size_t *n_values)
{
    for (size_t i = 0; i < n_fields; i++) {
        const struct app_config_field *field = fields[i];
        struct app_config_value *value = find_value(*values, *n_values, field->name);
        bool given = value != NULL;
        if (!given && !(field->standard && *field->standard) && field->n_items == 0)
            continue;
        if (!given) {
            value = schema_append(values, n_values, sizeof *value);
            value->name = xstrdup(field->name);
        }
        drop_empty(&value->type);
        if (!value->type && field->type && *field->type)
            value->type = xstrdup(field->type);
        if (!given && field->standard && *field->standard)
            value->value = xstrdup(field->standard);
        default_values(field->items, field->n_items, &value->items, &value->n_items);
    }
}

static void drop_foreign(struct app_instance *app)
{
    struct app_deploy *deploy = app->deploy;
    struct app_deploy foreign = {
        .depends = deploy->depends, .n_depends = deploy->n_depends, .stages = deploy->stages};
    schema_done(&app_deploy_schema, &foreign);
    deploy->depends = NULL;
    deploy->n_depends = 0;
    deploy->stages = NULL;
    deploy->revision = 0;
    struct app_instance rest = {.ref_by_instances = app->ref_by_instances,
                                .n_ref_by_instances = app->n_ref_by_instances,
                                .status = app->status};
    schema_done(&app_instance_schema, &rest);
    app->ref_by_instances = NULL;
    app->n_ref_by_instances = 0;
    app->status = NULL;
    app->revision = 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the capabilities and removes duplicates. */
static void normalise_capabilities(struct app_options *options)
{
    char **names = options->capabilities;
    size_t n = 0;
    if (options->n_capabilities > 0)
        qsort(names, options->n_capabilities, sizeof *names, by_name);
    for (size_t i = 0; i < options->n_capabilities; i++)
        if (n > 0 && streq(names[n - 1], names[i]))
            free(names[i]);
        else
            names[n++] = names[i];
    options->n_capabilities = n;
}

static void normalise_tasks(struct app_spec *spec)
{
    struct app_task *task = app_ready_task(spec);
    if (task && task->ready_timeout == 0)
        task->ready_timeout = APP_READY_TIMEOUT;
}

void app_default_options(struct app_manifest *manifest)
{
    if (!manifest->hostlet)
        manifest->hostlet = xcalloc(1, sizeof *manifest->hostlet);
    struct app_options *options = manifest->hostlet;
    if (options->init == APP_INIT_NONE)
        options->init = APP_INIT_INAGENT;
    if (options->pull == APP_PULL_NONE)
        options->pull = APP_PULL_MISSING;
    if (options->pids_limit == 0)
        options->pids_limit = options->init == APP_INIT_IMAGE ? APP_PIDS_WITH_IMAGE : APP_PIDS_WITH_INAGENT;
    if (options->probation_msec != 0)
        options->probation_given = true;
}

int app_normalise(struct app_manifest *manifest, struct error *e)
{
    struct app_instance *app = manifest->app;
    if (!app->deploy)
        app->deploy = xcalloc(1, sizeof *app->deploy);
    int r = normalise_limits(app->spec, app->deploy, e);
    if (r < 0)
        return r;
    normalise_name(app);
    drop_empty(&app->deploy->action);
    if (!app->deploy->action)
        app->deploy->action = xstrdup(schema_enum_name(&app_action_enum, APP_ACTION_START));
    drop_foreign(app);
    normalise_replicas(app->spec, app->deploy);
    default_values(app->spec->configs, app->spec->n_configs, &app->deploy->configs, &app->deploy->n_configs);
    normalise_tasks(app->spec);
    app_default_options(manifest);
    normalise_capabilities(manifest->hostlet);
    app_volumes_sort(manifest->hostlet->volumes, &manifest->hostlet->n_volumes);
    return 0;
}

/* Returns a copy without the members that make no new revision. */
static struct app_manifest *revision_of(const struct app_manifest *manifest)
{
    struct app_manifest *copy = xcalloc(1, sizeof *copy);
    schema_copy(&app_manifest_schema, manifest, copy);
    struct app_deploy *deploy = copy->app->deploy;
    struct app_spec *spec = copy->app->spec;
    struct app_spec left_out = {.description = TAKE_PTR(spec->description),
                                .resources = TAKE_PTR(spec->resources)};
    schema_done(&app_spec_schema, &left_out);
    struct app_task *ready = app_ready_task(spec);
    if (ready)
        ready->ready_timeout = 0;
    struct app_deploy replicas = {.replicas = TAKE_PTR(deploy->replicas), .n_replicas = deploy->n_replicas};
    schema_done(&app_deploy_schema, &replicas);
    deploy->n_replicas = 0;
    deploy->replica_cap = deploy->revision = 0;
    deploy->cpu_limit = deploy->memory_limit = deploy->volume_limit = 0;
    clear_string(&deploy->action);
    if (copy->hostlet) {
        copy->hostlet->pull = APP_PULL_NONE;
        copy->hostlet->pids_limit = 0;
        copy->hostlet->probation_given = false;
        copy->hostlet->probation_msec = copy->hostlet->stop_timeout_msec = copy->hostlet->parallel = 0;
    }
    return copy;
}

static bool same_bindings(const struct app_manifest *a, const struct app_manifest *b)
{
    const struct app_deploy *deploy = a->app->deploy;
    for (size_t i = 0; i < deploy->n_replicas; i++) {
        const struct app_replica *x = deploy->replicas[i], *y = app_find_replica(b, x->id);
        if (!y)
            continue;
        if (x->n_service_ports != y->n_service_ports)
            return false;
        for (size_t j = 0; j < x->n_service_ports; j++)
            if (!schema_equal(&app_service_port_schema, x->service_ports[j], y->service_ports[j]))
                return false;
    }
    return true;
}

bool app_same_revision(const struct app_manifest *a, const struct app_manifest *b)
{
    struct app_manifest *x = revision_of(a), *y = revision_of(b);
    bool same = schema_equal(&app_manifest_schema, x, y) && same_bindings(a, b);
    schema_free(&app_manifest_schema, x);
    schema_free(&app_manifest_schema, y);
    return same;
}
