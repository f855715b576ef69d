/* Implements zones.h. musl would read the same files, but tells neither when one is missing nor when the
 * local time changes next. */
#include "inagent/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

#define DIRECTORY  "/usr/share/zoneinfo"
#define LOCAL_FILE "/etc/localtime"

/* Reads a file of the zone database. Returns −ENOENT if it does not exist. */
static int read_file(const char *path, struct tz **ret, struct error *e)
{
    _cleanup_free_ char *data = NULL;
    size_t size;
    /* Names are symbolic links to others in many images. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_os(e, errno, "cannot open '%s'", path);
    int r = read_open_file(fd, path, TZ_FILE_MAX, &data, &size, e);
    if (r < 0)
        return r;
    r = tz_parse_file(data, size, ret, e);
    return r < 0 ? error_prefix(e, "'%s'", path) : 0;
}

/* Loads a zone by its name, or makes one of a rule. */
static int load(const char *name, struct tz **ret, struct error *e)
{
    _cleanup_free_ char *path = *name == '/' ? xstrdup(name) : xasprintf(DIRECTORY "/%s", name);
    *ret = NULL;
    if (streq(name, "UTC"))
        return 0;
    if (strpbrk(name, ",<:"))
        return tz_parse_rule(name, ret, e);
    int r = read_file(path, ret, e);
    if (r != -ENOENT || tz_parse_rule(name, ret, NULL) == 0)
        return r == -ENOENT ? 0 : r;
    return error_refuse(e, ENOENT,
                        "the time zone '%s' is unknown, because the image has no '%s': install tzdata in the "
                        "image, or write the zone as a rule, such as TZ=CET-1CEST,M3.5.0,M10.5.0/3",
                        name, path);
}

static struct tz *load_local(void)
{
    struct error e = ERROR_INIT;
    struct tz *tz = NULL;
    const char *name = getenv("TZ");
    if (!name) {
        int r = read_file(LOCAL_FILE, &tz, &e);
        if (r < 0 && r != -ENOENT)
            log_warning("local time is UTC: %s", e.message);
        return r < 0 ? NULL : tz;
    }
    name += *name == ':';
    if (*name && load(name, &tz, &e) < 0)
        log_warning("local time is UTC: %s", e.message);
    return tz;
}

int zones_find(void *context, const char *name, const struct tz **ret, struct error *e)
{
    struct zones *zones = context;
    for (size_t i = 0; i < zones->n_zones; i++)
        if (streq(zones->zones[i].name, name)) {
            *ret = zones->zones[i].tz;
            return 0;
        }
    struct tz *tz = NULL;
    int r = *name ? load(name, &tz, e) : 0;
    if (r < 0)
        return r;
    if (!*name)
        tz = load_local();
    zones->zones = xrealloc(zones->zones, zones->n_zones + 1, sizeof *zones->zones);
    zones->zones[zones->n_zones++] = (struct zone){xstrdup(name), tz};
    *ret = tz;
    return 0;
}

void zones_clear(struct zones *zones)
{
    for (size_t i = 0; i < zones->n_zones; i++) {
        free(zones->zones[i].name);
        tz_free(zones->zones[i].tz);
    }
    free(zones->zones);
    *zones = (struct zones){0};
}
