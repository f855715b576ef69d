/* Implements volumes.h. */
#include "provisioner/volumes.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/app/volume.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"

/* Only root reaches the volumes from outside of the container, as it is with the replica's other data. */
static const struct tenant_mode top_mode = {.uid = 0, .gid = 0, .mode = 0700, .ours = true};
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
    _cleanup_close_ int top = tenant_directory(tenant, container, APP_VOLUMES_DIRECTORY, &top_mode, &made, e);
    int r = top < 0 ? top : 0;
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = make_one(tenant, top, paths[i], owner, &made, e);
    if (r >= 0 && made && (fsync(top) < 0 || fsync(container) < 0))
        r = error_os(e, errno, "cannot sync the directories of the volumes");
    return r < 0 ? r : failpoint_error("volumes.made", e);
}
