/* Implements options.h: the keys of the table [hostlet], which hostlet-manifest(5) describes. */
#include "lib/manifest/options.h"

#include <errno.h>
#include <inttypes.h>

#include "lib/app/host_port.h"
#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/config/config.h"
#include "lib/config/value.h"
#include "lib/schema/object.h"

struct key {
    const char *name;
    bool of_instance; /* part of the instance, not of hostlet's options */
    int (*set)(json_t *value, const char *where, struct app_manifest *manifest, struct error *e);
};

static int expected(struct error *e, const char *where, const char *what)
{
    return error_refuse(e, EINVAL, "%s: expected %s", where, what);
}

static int set_instance(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    if (!json_is_string(value))
        return expected(e, where, "a string");
    int r = app_check_instance_name(json_string_value(value), where, e);
    if (r < 0)
        return r;
    manifest->app->meta = xcalloc(1, sizeof *manifest->app->meta);
    manifest->app->meta->name = xstrdup(json_string_value(value));
    return 0;
}

static int set_replicas(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    struct app_deploy *deploy = manifest->app->deploy;
    json_int_t n = json_is_array(value) ? (json_int_t)json_array_size(value) : json_integer_value(value);
    if (!json_is_array(value) && !json_is_integer(value))
        return expected(e, where, "a number of replicas, or a list of their ids");
    if (n < 1 || n > APP_REPLICA_ID_MAX + 1)
        return error_refuse(e, EINVAL, "%s: %" JSON_INTEGER_FORMAT " is not from 1 to %d replicas", where, n,
                            APP_REPLICA_ID_MAX + 1);
    for (json_int_t i = 0; i < n; i++) {
        json_t *id = json_array_get(value, (size_t)i);
        if (id && (!json_is_integer(id) || json_integer_value(id) < 0 ||
                   json_integer_value(id) > APP_REPLICA_ID_MAX))
            return error_refuse(e, EINVAL, "%s/%" JSON_INTEGER_FORMAT ": expected an id from 0 to %d", where,
                                i, APP_REPLICA_ID_MAX);
        struct app_replica *replica = schema_append(&deploy->replicas, &deploy->n_replicas, sizeof *replica);
        replica->id = id ? json_integer_value(id) : i;
    }
    return 0;
}

static int set_enum(json_t *value, const char *where, const struct schema_enum *en, int *ret, struct error *e)
{
    int v = json_is_string(value) ? schema_enum_value(en, json_string_value(value)) : -1;
    if (v >= 0) {
        *ret = v;
        return 0;
    }
    char choices[128] = "";
    for (size_t i = 1, n = 0; en->values[i]; i++)
        n += (size_t)snprintf(choices + n, sizeof choices - n, "%s\"%s\"", i > 1 ? ", " : "", en->values[i]);
    return error_refuse(e, EINVAL, "%s: expected one of %s", where, choices);
}

static int set_init(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    return set_enum(value, where, &app_init_enum, &manifest->hostlet->init, e);
}

static int set_pull(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    return set_enum(value, where, &app_pull_enum, &manifest->hostlet->pull, e);
}

static int set_words(json_t *value, const char *where, char ***ret, size_t *ret_n, struct error *e)
{
    if (!json_is_array(value))
        return expected(e, where, "a list of strings");
    size_t i;
    json_t *word;
    json_array_foreach(value, i, word)
    {
        if (!json_is_string(word))
            return error_refuse(e, EINVAL, "%s/%zu: expected a string", where, i);
        schema_append_string(ret, ret_n, json_string_value(word));
    }
    return 0;
}

static int set_command(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    struct app_options *options = manifest->hostlet;
    return set_words(value, where, &options->command, &options->n_command, e);
}

static int set_env(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    if (!json_is_object(value))
        return expected(e, where, "a table of strings");
    const char *name;
    json_t *text;
    json_object_foreach(value, name, text)
    {
        if (!json_is_string(text))
            return error_refuse(e, EINVAL, "%s/%s: expected a string (put the value into quotes)", where,
                                name);
        schema_map_set(&manifest->hostlet->env, &manifest->hostlet->n_env, name, json_string_value(text));
    }
    return 0;
}

static const struct app_config_field *find_field(struct app_config_field *const *fields, size_t n,
                                                 const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (streq_null(fields[i]->name, name))
            return fields[i];
    return NULL;
}

/* Sets the values of settings. A number or a boolean is converted to text; a table sets the items of a
 * setting that has items. */
static int set_values(json_t *table, const char *where, struct app_config_field *const *fields,
                      size_t n_fields, struct app_config_value ***values, size_t *n_values, struct error *e)
{
    const char *name;
    json_t *value;
    json_object_foreach(table, name, value)
    {
        _cleanup_free_ char *here = xasprintf("%s/%s", where, name);
        const struct app_config_field *field = find_field(fields, n_fields, name);
        if (!field)
            return error_refuse(e, EINVAL, "%s: the spec has no setting of this name in its configs", here);
        if (json_is_object(value) && field->n_items == 0)
            return error_refuse(e, EINVAL, "%s: expected a value: the setting has no items", here);
        struct app_config_value *item = schema_append(values, n_values, sizeof *item);
        item->name = xstrdup(name);
        if (json_is_string(value))
            item->value = xstrdup(json_string_value(value));
        else if (json_is_integer(value))
            item->value = xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_boolean(value))
            item->value = xstrdup(json_is_true(value) ? "true" : "false");
        else if (json_is_object(value)) {
            int r = set_values(value, here, field->items, field->n_items, &item->items, &item->n_items, e);
            if (r < 0)
                return r;
        } else
            return expected(e, here, "a string");
    }
    return 0;
}

static int set_configs(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    const struct app_spec *spec = manifest->app->spec;
    struct app_deploy *deploy = manifest->app->deploy;
    if (!json_is_object(value))
        return expected(e, where, "a table of values by the names of the spec's configs");
    return set_values(value, where, spec->configs, spec->n_configs, &deploy->configs, &deploy->n_configs, e);
}

/* Adds a binding: a port as a number, or as a text with address, protocol or a range (lib/app/host_port.h).
 */
static int add_host_port(struct app_replica *replica, const char *name, json_t *value, const char *where,
                         struct error *e)
{
    _cleanup_free_ char *number =
        json_is_integer(value) ? xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value)) : NULL;
    const char *text = number ?: json_string_value(value);
    struct app_service_port *p = schema_append(&replica->service_ports, &replica->n_service_ports, sizeof *p);
    p->name = xstrdup(name);
    return host_binding_parse(text ?: "", p, e) < 0 ? error_prefix(e, "%s", where) : 0;
}

/* Reports whether the text is a range of ports, from which each replica takes one. */
static bool is_range(json_t *value)
{
    struct app_service_port p = {.name = NULL};
    bool range = json_is_string(value) && host_binding_parse(json_string_value(value), &p, NULL) >= 0 &&
                 p.host_port_last != 0;
    host_binding_reduce(&p);
    return range;
}

static bool has_port(const struct app_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_service_ports; i++)
        if (streq_null(spec->service_ports[i]->name, name))
            return true;
    return false;
}

/* Sets host ports: name = PORT for one replica, name = [PORT, …] for each replica in the order of 'replicas',
 * or name = RANGE for all of them. */
static int set_host_ports(json_t *table, const char *where, struct app_manifest *manifest, struct error *e)
{
    struct app_deploy *deploy = manifest->app->deploy;
    const char *name;
    json_t *value;
    if (!json_is_object(table))
        return expected(e, where,
                        "a table of ports of this machine by the names of the spec's service_ports");
    if (deploy->n_replicas == 0)
        schema_append(&deploy->replicas, &deploy->n_replicas, sizeof **deploy->replicas);
    json_object_foreach(table, name, value)
    {
        _cleanup_free_ char *here = xasprintf("%s/%s", where, name);
        if (!has_port(manifest->app->spec, name))
            return error_refuse(e, EINVAL, "%s: the spec has no port of this name in its service_ports",
                                here);
        size_t n = json_is_array(value) ? json_array_size(value) : is_range(value) ? deploy->n_replicas : 1;
        if (n != deploy->n_replicas)
            return error_refuse(
                e, EINVAL, "%s: %zu port%s for %zu replica%s: write a list with one for each, or a range",
                here, n, n == 1 ? "" : "s", deploy->n_replicas, deploy->n_replicas == 1 ? "" : "s");
        for (size_t i = 0; i < n; i++) {
            bool list = json_is_array(value);
            _cleanup_free_ char *element = list ? xasprintf("%s/%zu", here, i) : xstrdup(here);
            int r =
                add_host_port(deploy->replicas[i], name, list ? json_array_get(value, i) : value, element, e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* Parses a duration; a number without a unit is in seconds. */
static int set_duration(json_t *value, const char *where, int64_t min, int64_t max, int64_t *ret_msec,
                        struct error *e)
{
    uint64_t usec = 0;
    int r = -EINVAL;
    if (json_is_string(value))
        r = parse_duration(json_string_value(value), &usec);
    else if (json_is_integer(value) && json_integer_value(value) >= 0) {
        r = 0;
        if (__builtin_mul_overflow((uint64_t)json_integer_value(value), USEC_PER_SEC, &usec))
            usec = UINT64_MAX;
    }
    if (r == -EINVAL)
        return expected(e, where,
                        "a duration, such as \"500ms\", \"10s\" or \"2min\", or a number of seconds");
    uint64_t msec = usec / USEC_PER_MSEC;
    if (r < 0 || msec > (uint64_t)max || msec < (uint64_t)min)
        return error_refuse(e, EINVAL, "%s: is not from %" PRId64 " ms to %" PRId64 " s", where, min,
                            max / 1000);
    *ret_msec = (int64_t)msec;
    return 0;
}

static int set_stop_timeout(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    return set_duration(value, where, 1, APP_STOP_TIMEOUT_MAX, &manifest->hostlet->stop_timeout_msec, e);
}

static int set_probation(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    manifest->hostlet->probation_given = true;
    return set_duration(value, where, 0, APP_PROBATION_MAX, &manifest->hostlet->probation_msec, e);
}

static int set_number(json_t *value, const char *where, int64_t max, int64_t *ret, struct error *e)
{
    if (!json_is_integer(value))
        return expected(e, where, "an integer");
    if (json_integer_value(value) < 1 || json_integer_value(value) > max)
        return error_refuse(e, EINVAL, "%s: %" JSON_INTEGER_FORMAT " is not from 1 to %" PRId64, where,
                            json_integer_value(value), max);
    *ret = json_integer_value(value);
    return 0;
}

static int set_pids_limit(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    return set_number(value, where, APP_PIDS_LIMIT_MAX, &manifest->hostlet->pids_limit, e);
}

static int set_parallel(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    return set_number(value, where, APP_REPLICA_ID_MAX + 1, &manifest->hostlet->parallel, e);
}

static int set_capabilities(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    struct app_options *options = manifest->hostlet;
    return set_words(value, where, &options->capabilities, &options->n_capabilities, e);
}

static int set_volumes(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    struct app_options *options = manifest->hostlet;
    return set_words(value, where, &options->volumes, &options->n_volumes, e);
}

static int set_bool(json_t *value, const char *where, bool *ret, struct error *e)
{
    if (!json_is_boolean(value))
        return expected(e, where, "true or false");
    *ret = json_is_true(value);
    return 0;
}

static int set_read_only(json_t *value, const char *where, struct app_manifest *manifest, struct error *e)
{
    return set_bool(value, where, &manifest->hostlet->read_only, e);
}

static int set_no_new_privileges(json_t *value, const char *where, struct app_manifest *manifest,
                                 struct error *e)
{
    return set_bool(value, where, &manifest->hostlet->no_new_privileges, e);
}

/* In the order in which they are set: host_ports needs the replicas. */
static const struct key keys[] = {
    {"instance", true, set_instance},
    {"replicas", true, set_replicas},
    {"configs", true, set_configs},
    {"host_ports", true, set_host_ports},
    {"init", false, set_init},
    {"command", false, set_command},
    {"pull", false, set_pull},
    {"env", false, set_env},
    {"pids_limit", false, set_pids_limit},
    {"stop_timeout", false, set_stop_timeout},
    {"probation", false, set_probation},
    {"parallel", false, set_parallel},
    {"capabilities", false, set_capabilities},
    {"read_only", false, set_read_only},
    {"no_new_privileges", false, set_no_new_privileges},
    {"volumes", false, set_volumes},
};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (streq(keys[i].name, name))
            return &keys[i];
    return NULL;
}

int options_parse(json_t *table, bool instance_given, struct app_manifest *manifest, struct error *e)
{
    const char *name;
    json_t *value;
    if (!json_is_object(table))
        return expected(e, "/hostlet", "a table");
    json_object_foreach(table, name, value)
    {
        const struct key *key = find_key(name);
        if (!key)
            return error_refuse(e, EINVAL, "/hostlet/%s: unknown member", name);
        if (key->of_instance && instance_given)
            return error_refuse(e, EINVAL, "/hostlet/%s: the instance itself defines it", name);
    }
    manifest->hostlet = xcalloc(1, sizeof *manifest->hostlet);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        _cleanup_free_ char *where = xasprintf("/hostlet/%s", keys[i].name);
        value = json_object_get(table, keys[i].name);
        int r = value && !json_is_null(value) ? keys[i].set(value, where, manifest, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}
