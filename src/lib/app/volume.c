/* Implements volume.h. */
#include "lib/app/volume.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

/* Reports whether 'path' is 'top' or below it. */
static bool is_within(const char *path, const char *top)
{
    const char *rest = after_prefix(path, top);
    return rest && (*rest == '\0' || *rest == '/');
}

/* Reports whether 'path' is absolute and has no part that could be left out. */
static bool is_shortest(const char *path)
{
    if (*path != '/' || !path[1])
        return false;
    for (const char *c = path; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    for (const char *part = path + 1;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n <= 2 && strspn(part, ".") >= n))
            return false;
        part += n;
        if (!*part)
            return true;
    }
}

/* Reports whether hostlet mounts something else at exactly this path. */
static const char *mounted_anyway(const char *path, const struct app_volume_rules *rules)
{
    if (rules->inagent && (streq(path, "/home") || streq(path, "/opt")))
        return "with inagent, it is a directory of the replica anyway";
    if (rules->read_only && (streq(path, "/tmp") || streq(path, "/run")))
        return "with read_only, it is in memory";
    return NULL;
}

/* Returns the directory or file of hostlet or the runtime that a volume at 'path' would replace; NULL: none.
 */
static const char *find_reserved(const char *path, const struct app_volume_rules *rules)
{
    static const char *const reserved[] = {
        "/proc", "/sys", "/dev", "/usr/innerstack", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"};
    static const char agent[] = "/home/action/.innerstack", socket[] = "/run/hostlet";
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (is_within(path, reserved[i]))
            return reserved[i];
    if (rules->inagent && is_within(path, socket))
        return socket;
    return rules->inagent && (is_within(path, agent) || is_within(agent, path)) ? agent : NULL;
}

int app_volume_check(const char *path, const struct app_volume_rules *rules, struct error *e)
{
    if (streq(path, "/"))
        return error_refuse(e, EINVAL, "'/': the whole file system of a container cannot be a volume");
    if (!is_shortest(path))
        return error_refuse(e, EINVAL,
                            "'%.100s' is no path of a volume: an absolute path in its shortest form, without "
                            "'.', '..', '//', control characters, and '/' at the end",
                            path);
    _cleanup_free_ char *key = app_volume_key(path);
    if (strlen(key) > APP_VOLUME_KEY_MAX)
        return error_refuse(e, EINVAL, "'%.100s…' is too long for the path of a volume", path);
    const char *anyway = mounted_anyway(path, rules);
    if (anyway)
        return error_refuse(e, EINVAL, "'%s' cannot be a volume: %s", path, anyway);
    const char *top = find_reserved(path, rules);
    if (top)
        return error_refuse(
            e, EINVAL, "'%s' cannot be a volume: it would replace %s, which hostlet or the runtime mounts",
            path, top);
    return 0;
}

char *app_volume_key(const char *path)
{
    char *key = xcalloc(3 * strlen(path) + 1, 1), *end = key;
    for (const char *c = path + 1; *c; c++)
        if (isalnum((unsigned char)*c) || *c == '-')
            *end++ = *c;
        else if (*c == '/')
            *end++ = '.';
        else
            end += snprintf(end, 4, "_%02x", (unsigned)(unsigned char)*c);
    return key;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void app_volumes_sort(char **paths, size_t *n)
{
    size_t kept = 0;
    if (*n > 0)
        qsort(paths, *n, sizeof *paths, by_text);
    for (size_t i = 0; i < *n; i++)
        if (kept > 0 && streq(paths[kept - 1], paths[i]))
            free(paths[i]);
        else
            paths[kept++] = paths[i];
    *n = kept;
}

void app_volumes_free(char **paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
}

/* Returns an absolute path in its shortest form, as the runtime shortens it. The caller frees. */
static char *shorten(const char *path)
{
    char *out = xcalloc(strlen(path) + 2, 1), *end = out;
    for (const char *part = path; *part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.') {
            while (end > out && *--end != '/')
                ;
            *end = '\0';
        } else if (n > 0 && !(n == 1 && *part == '.')) {
            *end++ = '/';
            memcpy(end, part, n);
            end += n;
            *end = '\0';
        }
        part += n + (part[n] == '/');
    }
    if (end == out)
        *out = '/';
    return out;
}

static int add_of_image(char ***list, size_t *n, const char *declared, const struct app_volume_rules *rules,
                        struct error *e)
{
    _cleanup_free_ char *path = shorten(declared);
    /* The runtime does not accept a mount at a relative path, and would make an anonymous volume there. */
    if (*declared != '/')
        return error_refuse(e, EINVAL, "'%.100s' is no path of a volume: it is not absolute", declared);
    if (mounted_anyway(path, rules))
        return 0;
    int r = app_volume_check(path, rules, e);
    if (r >= 0)
        schema_append_string(list, n, path);
    return r;
}

int app_volumes_of_image(char *const *declared, size_t n, const struct app_volume_rules *rules, char ***ret,
                         size_t *ret_n, struct error *e)
{
    char **list = NULL;
    size_t count = 0;
    int r = n > APP_VOLUMES_MAX
                ? error_refuse(e, E2BIG, "%zu volumes, and at most %d are accepted", n, APP_VOLUMES_MAX)
                : 0;
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = add_of_image(&list, &count, declared[i], rules, e);
    if (r < 0) {
        app_volumes_free(list, count);
        return r;
    }
    app_volumes_sort(list, &count);
    *ret = list;
    *ret_n = count;
    return 0;
}
