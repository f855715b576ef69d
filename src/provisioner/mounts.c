/* Implements mounts.h. */
#include "provisioner/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/mounts/mountinfo.h"

char *mounts_find_below(const char *mountinfo, const char *path)
{
    struct mount mount;
    while (mountinfo_next(&mountinfo, &mount)) {
        const char *rest = after_prefix(mount.mount_point, path);
        char *found = rest && (*rest == '\0' || *rest == '/') ? TAKE_PTR(mount.mount_point) : NULL;
        mount_clear(&mount);
        if (found)
            return found;
    }
    return NULL;
}

int mounts_check_none(int dir, const char *name, struct error *e)
{
    char link[64], place[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, place, sizeof place - 1);
    if (n < 0)
        return error_os(e, errno, "cannot find the path of '%s'", name);
    place[n] = '\0';
    _cleanup_free_ char *path = xasprintf("%s/%s", place, name), *text = NULL;
    int r = mountinfo_read(&text, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *point = mounts_find_below(text, path);
    if (point)
        return error_refuse(e, EXDEV, "'%s' is a mount point: unmount it first; nothing was removed", point);
    return 0;
}
