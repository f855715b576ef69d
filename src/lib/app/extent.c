/* Implements app_check_extent() of extent.h. */
#include "lib/app/extent.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/pack.h"

/* Returns the nesting depth of 'json'; stops counting beyond 'max'. */
static unsigned depth_of(json_t *json, unsigned max)
{
    const char *key;
    size_t i;
    json_t *item;
    unsigned below = 0, d;
    if (max == 0)
        return 1;
    json_object_foreach(json, key, item) below = (d = depth_of(item, max - 1)) > below ? d : below;
    json_array_foreach(json, i, item) below = (d = depth_of(item, max - 1)) > below ? d : below;
    return below + 1;
}

static int check_count(size_t n, size_t max, const char *root, const char *what, struct error *e)
{
    return n <= max ? 0
                    : error_refuse(e, E2BIG, "%s%s: %zu of them, and at most %zu are accepted", root, what, n,
                                   max);
}

static int check_parts(const struct app_instance *app, const char *root, struct error *e)
{
    static const struct app_spec no_spec = {.name = NULL};
    static const struct app_deploy no_deploy = {.action = NULL};
    const struct app_spec *spec = app->spec ?: &no_spec;
    const struct app_deploy *deploy = app->deploy ?: &no_deploy;
    const struct {
        const char *what;
        size_t n, max;
    } lists[] = {{"/spec/packages", spec->n_packages, APP_PACKAGES_MAX},
                 {"/spec/service_ports", spec->n_service_ports, APP_PORTS_MAX},
                 {"/spec/tasks", spec->n_tasks, APP_TASKS_MAX},
                 {"/spec/configs", spec->n_configs, APP_CONFIGS_MAX},
                 {"/deploy/configs", deploy->n_configs, APP_CONFIGS_MAX}};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(lists); i++)
        r = check_count(lists[i].n, lists[i].max, root, lists[i].what, e);
    for (size_t i = 0; r >= 0 && i < deploy->n_replicas; i++)
        r = check_count(deploy->replicas[i]->n_service_ports, APP_PORTS_MAX, root,
                        "/deploy/replicas/service_ports", e);
    return r;
}

int app_check_extent(const struct app_manifest *manifest, const char *root, struct error *e)
{
    int r = manifest->app ? check_parts(manifest->app, root, e) : 0;
    if (r < 0)
        return r;
    json_t *json = schema_pack(&app_manifest_schema, manifest);
    unsigned depth = depth_of(json, APP_DEPTH_MAX);
    char *text = depth <= APP_DEPTH_MAX ? json_dumps(json, JSON_COMPACT) : NULL;
    size_t size = text ? strlen(text) : 0;
    free(text);
    json_decref(json);
    if (depth > APP_DEPTH_MAX)
        return error_refuse(e, E2BIG, "the instance is nested deeper than %d levels", APP_DEPTH_MAX);
    if (size > APP_SIZE_MAX)
        return error_refuse(e, E2BIG, "the instance has %zu bytes, and at most %zu are accepted", size,
                            APP_SIZE_MAX);
    return 0;
}
