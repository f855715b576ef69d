/* Implements app_check() of check.h: the spec, the instance's name and their combination with the options. */
#include "lib/app/check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

#include "lib/app/check_deploy.h"
#include "lib/app/check_tasks.h"
#include "lib/app/extent.h"
#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/app/quantity.h"
#include "lib/app/reference.h"
#include "lib/basic/cleanup.h"
#include "lib/package/id.h"
#include "lib/package/version.h"

static bool is_empty(const char *s)
{
    return !s || !*s;
}

int check_word(const char *name, const char *where, struct error *e)
{
    if (is_empty(name))
        return error_refuse(e, EINVAL, "%s: is missing", where);
    bool good = isalnum((unsigned char)*name) && strlen(name) <= 100;
    for (const char *c = name; *c && good; c++)
        good = isalnum((unsigned char)*c) || strchr("._-/", *c);
    if (good)
        return 0;
    return error_refuse(e, EINVAL,
                        "%s: '%.120s' is no name: 1 to 100 letters, digits, '.', '_', '-' and '/', beginning "
                        "with a letter or digit",
                        where, name);
}

int check_length(const char *text, const char *where, struct error *e)
{
    return !text || strlen(text) <= APP_NAME_MAX
               ? 0
               : error_refuse(e, E2BIG, "%s: '%.40s…' has %zu bytes, and at most %d are accepted", where,
                              text, strlen(text), APP_NAME_MAX);
}

int check_image(const struct app_spec *spec, struct error *e)
{
    if (is_empty(spec->image))
        return error_refuse(e, EINVAL, "/app/spec/image: is missing: the container's image must be named");
    _cleanup_image_reference_ struct image_reference *reference = NULL;
    struct error why = ERROR_INIT;
    if (image_reference_parse(spec->image, &reference, &why) < 0)
        return error_refuse(e, EINVAL, "/app/spec/image: %s", why.message);
    return 0;
}

/* Refuses to pull an image by its id, since no registry has images by id. */
static int check_pull(const struct app_spec *spec, const struct app_options *options, struct error *e)
{
    _cleanup_image_reference_ struct image_reference *reference = NULL;
    if (!options || options->pull != APP_PULL_ALWAYS ||
        image_reference_parse(spec->image, &reference, NULL) < 0 || !reference->id)
        return 0;
    return error_refuse(
        e, EINVAL,
        "/hostlet/pull: 'always' needs an image that a registry has, and '%.80s' is the id of "
        "one on this machine",
        spec->image);
}

static int check_limit(const char *text, const char *name, bool cpu, int64_t min, struct error *e)
{
    if (is_empty(text))
        return 0;
    int64_t value;
    int r = cpu ? app_parse_cpu(text, &value, e) : app_parse_memory(text, &value, e);
    if (r < 0)
        return error_prefix(e, "/app/spec/resources/%s", name);
    if (value != 0 && value < min)
        return error_refuse(e, EINVAL, "/app/spec/resources/%s: '%s' is less than %s", name, text,
                            cpu ? "10m (a hundredth of a CPU), the smallest that works"
                                : "6Mi, the smallest that works");
    return 0;
}

static int check_resources(const struct app_resources *resources, struct error *e)
{
    int r;
    if (!resources)
        return 0;
    if ((r = check_limit(resources->cpu_limit, "cpu_limit", true, APP_CPU_LIMIT_MIN, e)) < 0 ||
        (r = check_limit(resources->memory_limit, "memory_limit", false, APP_MEMORY_LIMIT_MIN, e)) < 0)
        return r;
    return check_limit(resources->volume_limit, "volume_limit", false, 0, e);
}

static int check_depends(const struct app_spec *spec, struct error *e)
{
    const struct {
        const char *name;
        struct app_name_version *const *items;
        size_t n;
    } lists[] = {{"depends", spec->depends, spec->n_depends},
                 {"service_depends", spec->service_depends, spec->n_service_depends}};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (lists[i].n > 0)
            return error_refuse(
                e, EINVAL,
                "/app/spec/%s/0: the application depends on '%.100s', and a dependency on another "
                "application needs a zone; this machine runs the manifest alone",
                lists[i].name, lists[i].items[0]->name ?: "");
    return 0;
}

int check_packages(const struct app_spec *spec, struct error *e)
{
    for (size_t i = 0; i < spec->n_packages; i++) {
        const struct app_name_version *p = spec->packages[i];
        if (is_empty(p->name))
            return error_refuse(e, EINVAL, "/app/spec/packages/%zu/name: is missing", i);
        if (package_name_check(p->name, e) < 0)
            return error_prefix(e, "/app/spec/packages/%zu/name", i);
        if (p->version && version_rule_check(p->version, e) < 0)
            return error_prefix(e, "/app/spec/packages/%zu/version", i);
        for (size_t j = 0; j < i; j++)
            if (streq(spec->packages[j]->name, p->name))
                return error_refuse(e, EINVAL, "/app/spec/packages/%zu/name: a second package '%s'", i,
                                    p->name);
    }
    return 0;
}

static int check_ports(const struct app_spec *spec, struct error *e)
{
    for (size_t i = 0; i < spec->n_service_ports; i++) {
        const struct app_spec_port *p = spec->service_ports[i];
        _cleanup_free_ char *where = xasprintf("/app/spec/service_ports/%zu/name", i);
        int r = check_word(p->name, where, e);
        if (r < 0)
            return r;
        if (p->port < 1 || p->port > 65535)
            return error_refuse(e, EINVAL,
                                "/app/spec/service_ports/%zu/port: %" PRId64 " is not from 1 to 65535", i,
                                p->port);
        for (size_t j = 0; j < i; j++)
            if (streq(spec->service_ports[j]->name, p->name))
                return error_refuse(e, EINVAL, "%s: a second port '%s'", where, p->name);
    }
    return 0;
}

static int check_configs(struct app_config_field *const *items, size_t n, const char *where, unsigned depth,
                         struct error *e)
{
    if (n > 0 && depth > APP_CONFIGS_DEPTH_MAX)
        return error_refuse(e, EINVAL, "%s: items are nested deeper than %d levels", where,
                            APP_CONFIGS_DEPTH_MAX);
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *name = xasprintf("%s/%zu/name", where, i),
                            *below = xasprintf("%s/%zu/items", where, i);
        int r = check_word(items[i]->name, name, e);
        for (size_t j = 0; r >= 0 && j < i; j++)
            if (streq(items[j]->name, items[i]->name))
                r = error_refuse(e, EINVAL, "%s: a second setting '%s'", name, items[i]->name);
        if (r < 0 || (r = check_configs(items[i]->items, items[i]->n_items, below, depth + 1, e)) < 0)
            return r;
    }
    return 0;
}

static int check_spec(const struct app_spec *spec, struct error *e)
{
    int r;
    if ((r = check_word(spec->name, "/app/spec/name", e)) < 0 ||
        (r = check_length(spec->version, "/app/spec/version", e)) < 0 || (r = check_image(spec, e)) < 0 ||
        (r = check_resources(spec->resources, e)) < 0 || (r = check_depends(spec, e)) < 0 ||
        (r = check_packages(spec, e)) < 0 || (r = check_ports(spec, e)) < 0 ||
        (r = check_configs(spec->configs, spec->n_configs, "/app/spec/configs", 1, e)) < 0)
        return r;
    return check_tasks(spec, e);
}

static int check_name(const struct app_manifest *manifest, struct error *e)
{
    const struct app_metadata *meta = manifest->app->meta;
    bool own = meta && !is_empty(meta->name);
    struct error why = ERROR_INIT;
    int r =
        app_check_instance_name(app_instance_name(manifest), own ? "/app/meta/name" : "/app/spec/name", &why);
    if (r < 0)
        return error_refuse(e, EINVAL, "%s%s", why.message,
                            own ? "" : " (the spec's name is used where no instance is named)");
    return 0;
}

int app_check(const struct app_manifest *manifest, struct error *e)
{
    const struct app_options *options = manifest->hostlet;
    if (!manifest->app)
        return error_refuse(e, EINVAL, "/app: is missing");
    const struct app_spec *spec = manifest->app->spec;
    if (!spec)
        return error_refuse(e, EINVAL, "/app/spec: is missing");
    int r;
    if ((r = app_check_extent(manifest, "/app", e)) < 0 || (r = check_spec(spec, e)) < 0 ||
        (r = check_name(manifest, e)) < 0 || (r = check_deploy(spec, manifest->app->deploy, e)) < 0 ||
        (r = check_options(options, e)) < 0 || (r = check_pull(spec, options, e)) < 0)
        return r;
    if (options && options->init == APP_INIT_IMAGE && spec->n_tasks > 0)
        return error_refuse(e, EINVAL,
                            "/app/spec/tasks/0: inagent runs the tasks, and init = image starts no inagent");
    return 0;
}
