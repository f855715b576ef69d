/* Implements name.h. The InnerStack contract (section 5) defines the form of the names. */
#include "container-driver/name.h"

#include <errno.h>

#include "lib/basic/cleanup.h"

#define REPLICA_ID_MAX 127
#define OLD_SUFFIX     ".old"
#define ASIDE_SUFFIX   ".aside"

static bool is_instance(const char *s)
{
    size_t n = strlen(s);
    return n >= 3 && n <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && s[0] != '-' &&
           s[n - 1] != '-';
}

/* Builds the name without the slot's suffix, which is also the name of the replica's directory in the app
 * path. */
static int replica_name(const char *instance, int64_t replica_id, char **ret, struct error *e)
{
    if (!instance || !is_instance(instance))
        return error_refuse(
            e, EINVAL, "instance '%s': not a name of 3 to 63 lower-case letters, digits and inner hyphens",
            instance ?: "");
    if (replica_id < 0 || replica_id > REPLICA_ID_MAX)
        return error_refuse(e, ERANGE, "replica id %lld of '%s' is not between 0 and %d",
                            (long long)replica_id, instance, REPLICA_ID_MAX);
    *ret = xasprintf(CONTAINER_NAME_PREFIX "%s_%lld", instance, (long long)replica_id);
    return 0;
}

int container_name(const char *instance, int64_t replica_id, int slot, char **ret, struct error *e)
{
    _cleanup_free_ char *name = NULL;
    int r = replica_name(instance, replica_id, &name, e);
    if (r < 0)
        return r;
    *ret = slot == DRIVER_SLOT_CURRENT
               ? TAKE_PTR(name)
               : xasprintf("%s%s", name, slot == DRIVER_SLOT_OLD ? OLD_SUFFIX : ASIDE_SUFFIX);
    return 0;
}

char *copy_container_name(const char *tree_id, const char *instance, int64_t replica_id)
{
    return xasprintf("hostlet_%s_" CONTAINER_NAME_PREFIX "%s_%lld.copy", tree_id, instance,
                     (long long)replica_id);
}

char *volume_name_prefix(const char *tree_id, const char *instance, int64_t replica_id)
{
    return xasprintf("hostlet_%s_" CONTAINER_NAME_PREFIX "%s_%lld_", tree_id, instance,
                     (long long)replica_id);
}

/* An id has no leading zeros: "007" and "7" would be two containers of one replica. */
static bool parse_replica_id(const char *number, int64_t *ret)
{
    return parse_int64(number, 0, REPLICA_ID_MAX, ret) >= 0 && !(number[0] == '0' && number[1]);
}

bool container_labels_parse(const char *instance, const char *replica_id, int64_t *ret_replica_id)
{
    return instance && replica_id && is_instance(instance) && parse_replica_id(replica_id, ret_replica_id);
}

bool container_name_parse(const char *name, char **ret_instance, int64_t *ret_replica_id, int *ret_slot)
{
    if (*name == '/')
        name++;
    const char *rest = after_prefix(name, CONTAINER_NAME_PREFIX);
    const char *underscore = rest ? strrchr(rest, '_') : NULL;
    if (!underscore)
        return false;
    bool old = has_suffix(underscore, OLD_SUFFIX);
    size_t digits = strlen(underscore + 1) - (old ? strlen(OLD_SUFFIX) : 0);
    _cleanup_free_ char *number = xstrndup(underscore + 1, digits);
    _cleanup_free_ char *instance = xstrndup(rest, (size_t)(underscore - rest));
    int64_t id;
    if (!parse_replica_id(number, &id) || !is_instance(instance))
        return false;
    *ret_instance = TAKE_PTR(instance);
    *ret_replica_id = id;
    *ret_slot = old ? DRIVER_SLOT_OLD : DRIVER_SLOT_CURRENT;
    return true;
}
