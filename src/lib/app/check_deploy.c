/* Checks a manifest's deploy part (action, limits, replicas, values of settings) and hostlet's
 * options; see check_deploy.h. */
#include "lib/app/check_deploy.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/app/check.h"
#include "lib/app/check_ports.h"
#include "lib/app/limits.h"
#include "lib/app/volume.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

static int check_range(int64_t value, int64_t min, int64_t max, const char *where, struct error *e)
{
    if (value == 0 || (value >= min && value <= max))
        return 0;
    return error_refuse(e, EINVAL, "%s: %" PRId64 " is not from %" PRId64 " to %" PRId64, where, value, min,
                        max);
}

static int check_replica(const struct app_deploy *deploy, size_t i, struct error *e)
{
    const struct app_replica *replica = deploy->replicas[i];
    if (replica->id < 0 || replica->id > APP_REPLICA_ID_MAX)
        return error_refuse(e, EINVAL, "/app/deploy/replicas/%zu/id: %" PRId64 " is not from 0 to %d", i,
                            replica->id, APP_REPLICA_ID_MAX);
    for (size_t j = 0; j < i; j++)
        if (deploy->replicas[j]->id == replica->id)
            return error_refuse(e, EINVAL, "/app/deploy/replicas/%zu/id: a second replica %" PRId64, i,
                                replica->id);
    return 0;
}

static int check_values(struct app_config_value *const *items, size_t n, const char *where, unsigned depth,
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
                r = error_refuse(e, EINVAL, "%s: a second value of '%s'", name, items[i]->name);
        if (r < 0 || (r = check_values(items[i]->items, items[i]->n_items, below, depth + 1, e)) < 0)
            return r;
    }
    return 0;
}

int app_action_of(const struct app_deploy *deploy)
{
    if (!deploy->action || !*deploy->action)
        return APP_ACTION_START;
    int action = schema_enum_value(&app_action_enum, deploy->action);
    return action == APP_ACTION_NONE ? -EINVAL : action;
}

int check_deploy(const struct app_spec *spec, const struct app_deploy *deploy, struct error *e)
{
    int r;
    if (!deploy)
        return check_bindings(spec, NULL, e);
    if (app_action_of(deploy) < 0)
        return error_refuse(e, EINVAL, "/app/deploy/action: '%.64s' is none of start, stop, destroy",
                            deploy->action);
    if ((r = check_range(deploy->cpu_limit, APP_CPU_LIMIT_MIN, APP_CPU_LIMIT_MAX, "/app/deploy/cpu_limit",
                         e)) < 0 ||
        (r = check_range(deploy->memory_limit, APP_MEMORY_LIMIT_MIN, APP_BYTES_MAX,
                         "/app/deploy/memory_limit", e)) < 0 ||
        (r = check_range(deploy->volume_limit, 0, APP_BYTES_MAX, "/app/deploy/volume_limit", e)) < 0)
        return r;
    for (size_t i = 0; i < deploy->n_replicas; i++)
        if ((r = check_replica(deploy, i, e)) < 0)
            return r;
    if ((r = check_bindings(spec, deploy, e)) < 0)
        return r;
    return check_values(deploy->configs, deploy->n_configs, "/app/deploy/configs", 1, e);
}

/* Reports whether the contract defines this variable for every container. */
static bool is_reserved(const char *name)
{
    return streq(name, "APP_NAME") || streq(name, "APP_REP_ID") || streq(name, "APP_HOST_ID");
}

static int check_environment(const struct app_options *options, struct error *e)
{
    for (size_t i = 0; i < options->n_env; i++) {
        const char *name = options->env[i].key;
        bool good = isalpha((unsigned char)*name) || *name == '_';
        for (const char *c = name; *c && good; c++)
            good = isalnum((unsigned char)*c) || strchr("_.-", *c);
        if (!good)
            return error_refuse(
                e, EINVAL,
                "/hostlet/env/%.100s: no name of a variable: letters, digits, '_', '.' and '-', "
                "beginning with a letter or '_'",
                name);
        if (is_reserved(name))
            return error_refuse(e, EINVAL, "/hostlet/env/%s: hostlet sets this variable in every container",
                                name);
    }
    return 0;
}

/* Checks what the container's first program is started with: execve() fails if it is larger. */
static int check_arguments(const struct app_options *options, struct error *e)
{
    size_t total = 0;
    for (size_t i = 0; i < options->n_command + options->n_env; i++) {
        bool command = i < options->n_command;
        const struct schema_pair *variable = command ? NULL : &options->env[i - options->n_command];
        size_t size = command ? strlen(options->command[i]) + 1
                              : strlen(variable->key) + 1 + strlen(variable->value) + 1;
        _cleanup_free_ char *where =
            command ? xasprintf("/hostlet/command/%zu", i) : xasprintf("/hostlet/env/%.100s", variable->key);
        if (size > APP_ARGUMENT_MAX)
            return error_refuse(e, E2BIG,
                                "%s: has %zu bytes, and no program can be started with more than %d in one "
                                "argument or variable",
                                where, size, APP_ARGUMENT_MAX);
        total += size + sizeof(char *);
    }
    if (total <= APP_ARGUMENTS_MAX)
        return 0;
    return error_refuse(e, E2BIG,
                        "/hostlet/env: environment and command have %zu bytes, and no program can be started "
                        "with more than %zu",
                        total, APP_ARGUMENTS_MAX);
}

static int check_capabilities(const struct app_options *options, struct error *e)
{
    for (size_t i = 0; i < options->n_capabilities; i++) {
        const char *const *known = app_capability_names;
        while (*known && !streq(*known, options->capabilities[i]))
            known++;
        if (*known)
            continue;
        char all[256] = "";
        for (size_t k = 0, n = 0; app_capability_names[k] && n < sizeof all; k++)
            n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", k ? ", " : "", app_capability_names[k]);
        return error_refuse(
            e, EINVAL,
            "/hostlet/capabilities/%zu: '%.64s' is none of %s (in capitals, without 'CAP_'): no "
            "container gets others",
            i, options->capabilities[i], all);
    }
    return 0;
}

static int check_volumes(const struct app_options *options, struct error *e)
{
    const struct app_volume_rules rules = {.inagent = options->init != APP_INIT_IMAGE,
                                           .read_only = options->read_only};
    if (options->n_volumes > APP_VOLUMES_MAX)
        return error_refuse(e, E2BIG, "/hostlet/volumes: %zu of them, and at most %d are accepted",
                            options->n_volumes, APP_VOLUMES_MAX);
    for (size_t i = 0; i < options->n_volumes; i++)
        if (app_volume_check(options->volumes[i], &rules, e) < 0)
            return error_prefix(e, "/hostlet/volumes/%zu", i);
    return 0;
}

int check_options(const struct app_options *options, struct error *e)
{
    int r;
    if (!options)
        return 0;
    if (options->n_command > 0 && options->init != APP_INIT_IMAGE)
        return error_refuse(
            e, EINVAL,
            "/hostlet/command: is allowed with init = image alone; with inagent, the tasks define what runs");
    if (options->n_command > 0 && !*options->command[0])
        return error_refuse(e, EINVAL, "/hostlet/command/0: is empty");
    if ((r = check_environment(options, e)) < 0 || (r = check_arguments(options, e)) < 0 ||
        (r = check_capabilities(options, e)) < 0 || (r = check_volumes(options, e)) < 0 ||
        (r = check_range(options->pids_limit, 1, APP_PIDS_LIMIT_MAX, "/hostlet/pids_limit", e)) < 0 ||
        (r = check_range(options->stop_timeout_msec, 1, APP_STOP_TIMEOUT_MAX, "/hostlet/stop_timeout_msec",
                         e)) < 0 ||
        (r = check_range(options->probation_msec, 0, APP_PROBATION_MAX, "/hostlet/probation_msec", e)) < 0)
        return r;
    return check_range(options->parallel, 1, APP_REPLICA_ID_MAX + 1, "/hostlet/parallel", e);
}
