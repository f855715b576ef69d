/* Implements the functions of name.h for names of instances and containers. */
#include "lib/app/name.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>

#include "lib/app/limits.h"
#include "lib/basic/cleanup.h"

static bool is_label_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Reports whether 'name' is an RFC 1123 label in the form that container names allow: lower case only. */
static bool is_label(const char *name, size_t n)
{
    if (n < 3 || n > 63 || !is_label_character(name[0]) || !is_label_character(name[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_label_character(name[i]) && name[i] != '-')
            return false;
    return true;
}

int app_check_instance_name(const char *name, const char *what, struct error *e)
{
    if (is_label(name, strlen(name)))
        return 0;
    return error_refuse(
        e, EINVAL,
        "%s: '%.80s' is no name of an instance: 3 to 63 of a-z, 0-9 and '-', with a letter or "
        "digit at both ends",
        what, name);
}

char *app_container_name(const char *instance, int64_t replica_id)
{
    return xasprintf("i8k_%s_%" PRId64, instance, replica_id);
}

int app_container_name_parse(const char *name, char **ret_instance, int64_t *ret_replica_id)
{
    const char *instance = after_prefix(name, "i8k_"), *end = strrchr(name, '_');
    if (!instance || end < instance || !is_label(instance, (size_t)(end - instance)))
        return -EINVAL;
    /* Only digits, without leading zeros: one replica has one name. */
    int64_t id;
    if (!isdigit((unsigned char)end[1]) || (end[1] == '0' && end[2]) ||
        parse_int64(end + 1, 0, APP_REPLICA_ID_MAX, &id) < 0)
        return -EINVAL;
    *ret_instance = xstrndup(instance, (size_t)(end - instance));
    *ret_replica_id = id;
    return 0;
}

const char *app_instance_name(const struct app_manifest *manifest)
{
    const struct app_instance *app = manifest->app;
    if (app && app->meta && app->meta->name && *app->meta->name)
        return app->meta->name;
    return app && app->spec ? app->spec->name : NULL;
}

struct app_replica *app_find_replica(const struct app_manifest *manifest, int64_t id)
{
    const struct app_deploy *deploy = manifest->app ? manifest->app->deploy : NULL;
    for (size_t i = 0; deploy && i < deploy->n_replicas; i++)
        if (deploy->replicas[i]->id == id)
            return deploy->replicas[i];
    return NULL;
}
