/* Implements volumes.h. */
#include "provisioner/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/app/volume.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"

/* Only root reaches the volumes from outside of the container, as it is with the replica's other data. */
static const struct tenant_mode top_mode = {.uid = 0, .gid = 0, .mode = 0700, .ours = true};

static int open_top(struct tenant *t, int container, bool *made, struct error *e)
{
    return tenant_directory(t, container, APP_VOLUMES_DIRECTORY, &top_mode, made, e);
}

static int make_one(struct tenant *t, int top, const char *path, uid_t owner, bool *made, struct error *e)
{
    const struct tenant_mode mode = {.uid = owner, .gid = owner, .mode = 0755};
    _cleanup_free_ char *key = app_volume_key(path);
    int fd = tenant_directory(t, top, key, &mode, made, e);
    close_fd(fd);
    return fd < 0 ? fd : 0;
}

int volumes_make(struct tenant *tenant, int container, char *const *paths, size_t n, uid_t owner,
                 struct error *e)
{
    bool made = false;
    if (n == 0)
        return 0;
    _cleanup_close_ int top = open_top(tenant, container, &made, e);
    int r = top < 0 ? top : 0;
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = make_one(tenant, top, paths[i], owner, &made, e);
    if (r >= 0 && made && (fsync(top) < 0 || fsync(container) < 0))
        r = error_os(e, errno, "cannot sync the directories of the volumes");
    return r < 0 ? r : failpoint_error("volumes.made", e);
}

static int begin_copy(struct tenant *t, int top, const char *copying, struct error *e)
{
    int r = tenant_clear(t, top, copying, e);
    if (r >= 0 && mkdirat(top, copying, 0700) < 0)
        r = error_os(e, errno, "cannot make directory '%s'", copying);
    return r;
}

/* An earlier copy that became a volume and whose container did not stay up is replaced: the earlier container
 * has run since. */
static int complete_copy(struct tenant *t, int top, const char *copying, const char *key, struct error *e)
{
    struct stat st;
    if (fstatat(top, copying, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return error_os(e, errno, "cannot stat '%s'", copying);
        if (fstatat(top, key, &st, AT_SYMLINK_NOFOLLOW) == 0)
            return 0; /* a repeated request */
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no copy of volume '%s'", key);
    }
    int r = tenant_clear(t, top, key, e);
    if (r >= 0)
        r = failpoint_error("copy.replaced", e);
    if (r >= 0 && renameat(top, copying, top, key) < 0)
        r = error_os(e, errno, "cannot rename '%s' to '%s'", copying, key);
    return r < 0 ? r : failpoint_error("copy.named", e);
}

int volumes_copy(struct tenant *tenant, int container, enum volumes_copy act, char *const *paths, size_t n,
                 struct error *e)
{
    bool made = false;
    _cleanup_close_ int top = open_top(tenant, container, &made, e);
    int r = top < 0 ? top : 0;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        _cleanup_free_ char *key = app_volume_key(paths[i]),
                            *copying = xasprintf(APP_VOLUMES_COPYING "%s", key);
        r = act == COPY_BEGIN      ? begin_copy(tenant, top, copying, e)
            : act == COPY_COMPLETE ? complete_copy(tenant, top, copying, key, e)
                                   : tenant_clear(tenant, top, copying, e);
    }
    if (r >= 0 && (fsync(top) < 0 || (made && fsync(container) < 0)))
        r = error_os(e, errno, "cannot sync the directories of the volumes");
    return r < 0 || act != COPY_BEGIN ? r : failpoint_error("copy.begun", e);
}
