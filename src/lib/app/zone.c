/* Implements the functions of zone.h for the instances that a zone's leader sends. */
#include "lib/app/zone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/app/check.h"
#include "lib/app/host_port.h"
#include "lib/app/limits.h"
#include "lib/app/normalise.h"
#include "lib/app/quantity.h"
#include "lib/schema/object.h"

struct app_replica *app_find_replica_of(const struct app_manifest *manifest, int64_t id, const char *host_id)
{
    const struct app_deploy *deploy = manifest->app ? manifest->app->deploy : NULL;
    for (size_t i = 0; deploy && i < deploy->n_replicas; i++)
        if (deploy->replicas[i]->id == id && streq_null(deploy->replicas[i]->host_id, host_id))
            return deploy->replicas[i];
    return NULL;
}

/* Sets the limits that only the spec contains. An unparsable limit counts as none, since the leader has
 * accepted it. */
static void default_limits(const struct app_resources *resources, struct app_deploy *deploy)
{
    if (deploy->cpu_limit == 0 && resources->cpu_limit)
        app_parse_cpu(resources->cpu_limit, &deploy->cpu_limit, NULL);
    if (deploy->memory_limit == 0 && resources->memory_limit)
        app_parse_memory(resources->memory_limit, &deploy->memory_limit, NULL);
    if (deploy->volume_limit == 0 && resources->volume_limit)
        app_parse_memory(resources->volume_limit, &deploy->volume_limit, NULL);
}

struct app_manifest *app_zone_manifest(const struct app_instance *instance)
{
    struct app_manifest *manifest = xcalloc(1, sizeof *manifest);
    struct app_instance *app = manifest->app = xcalloc(1, sizeof *app);
    schema_copy(&app_instance_schema, instance, app);
    struct app_instance echo = {.status = app->status};
    schema_done(&app_instance_schema, &echo);
    app->status = NULL;
    if (app->deploy) {
        struct app_deploy own = {.stages = app->deploy->stages};
        schema_done(&app_deploy_schema, &own);
        app->deploy->stages = NULL;
        if (app->spec && app->spec->resources)
            default_limits(app->spec->resources, app->deploy);
        for (size_t i = 0; i < app->deploy->n_replicas; i++)
            for (size_t k = 0; k < app->deploy->replicas[i]->n_service_ports; k++)
                host_binding_reduce(app->deploy->replicas[i]->service_ports[k]);
    }
    app_default_options(manifest);
    return manifest;
}

static int check_number(int64_t value, int64_t max, const char *where, struct error *e)
{
    return value < 0 || value > max
               ? error_refuse(e, EINVAL, "/%s: %" PRId64 " is not from 0 to %" PRId64, where, value, max)
               : 0;
}

static int check_own_replica(const struct app_deploy *deploy, size_t at, struct error *e)
{
    const struct app_replica *replica = deploy->replicas[at];
    struct in_addr address;
    if (check_number(replica->id, APP_REPLICA_ID_MAX, "deploy/replicas/id", e) < 0)
        return -EINVAL;
    for (size_t i = 0; i < at; i++)
        if (deploy->replicas[i]->id == replica->id)
            return error_refuse(e, EINVAL, "/deploy/replicas/%zu/id: a second replica %" PRId64, at,
                                replica->id);
    const char *vpc = replica->vpc_ipv4;
    if (vpc && *vpc && inet_pton(AF_INET, vpc, &address) != 1)
        return error_refuse(e, EINVAL, "/deploy/replicas/%zu/vpc_ipv4: '%.40s' is no IPv4 address", at, vpc);
    for (size_t i = 0; i < replica->n_service_ports; i++)
        if (check_length(replica->service_ports[i]->name, "/deploy/replicas/service_ports/name", e) < 0)
            return -E2BIG;
    for (size_t i = 0; i < replica->n_service_ports; i++)
        if (check_number(replica->service_ports[i]->port, 65535, "deploy/replicas/service_ports/port", e) <
                0 ||
            check_number(replica->service_ports[i]->host_port, 65535,
                         "deploy/replicas/service_ports/host_port", e) < 0)
            return -EINVAL;
    return 0;
}

int app_check_zone(const struct app_instance *instance, const char *host_id, struct error *e)
{
    const struct app_spec *spec = instance->spec;
    const struct app_deploy *deploy = instance->deploy;
    int r;
    if (!spec || !spec->resources)
        return error_refuse(e, EINVAL, "/spec%s: is missing", spec ? "/resources" : "");
    if (!deploy)
        return error_refuse(e, EINVAL, "/deploy: is missing");
    if ((r = check_length(spec->name, "/spec/name", e)) < 0 ||
        (r = check_length(spec->version, "/spec/version", e)) < 0 || (r = check_image(spec, e)) < 0 ||
        (r = check_packages(spec, e)) < 0 ||
        (r = check_number(deploy->revision, INT64_MAX, "deploy/revision", e)) < 0 ||
        (r = check_number(deploy->cpu_limit, APP_CPU_LIMIT_MAX, "deploy/cpu_limit", e)) < 0 ||
        (r = check_number(deploy->memory_limit, APP_BYTES_MAX, "deploy/memory_limit", e)) < 0 ||
        (r = check_number(deploy->volume_limit, APP_BYTES_MAX, "deploy/volume_limit", e)) < 0)
        return r;
    for (size_t i = 0; i < spec->n_service_ports; i++)
        if ((r = check_length(spec->service_ports[i]->name, "/spec/service_ports/name", e)) < 0)
            return r;
    for (size_t i = 0; i < spec->n_service_ports; i++)
        if (spec->service_ports[i]->port < 1 || spec->service_ports[i]->port > 65535)
            return error_refuse(e, EINVAL, "/spec/service_ports/%zu/port: %" PRId64 " is not from 1 to 65535",
                                i, spec->service_ports[i]->port);
    for (size_t i = 0; i < deploy->n_replicas; i++)
        if (streq_null(deploy->replicas[i]->host_id, host_id) && (r = check_own_replica(deploy, i, e)) < 0)
            return r;
    return 0;
}
