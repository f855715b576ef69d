/* Implements installs.h. */
#include "container-driver/installs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

/* Opens and checks the next directory of the path; 'path' is the whole path, for messages. */
static int step(int parent, const char *name, const char *path, int *ret, struct error *e)
{
    _cleanup_close_ int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return error_retry(e, ENOENT, "'%s' does not exist: the package is not, or no longer, installed",
                           path);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return error_refuse(e, ENOTDIR, "'%s' is not reached by directories alone: no container gets it",
                            path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot open '%s'", path);
    /* In a tree that runs without root, the directories belong to the tree's user. */
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & 0022)
        return error_refuse(
            e, EPERM,
            "'%s' or a directory above it belongs to user %u and has mode %04o: no container gets "
            "what others than root can replace",
            path, st.st_uid, st.st_mode & 07777);
    *ret = TAKE_FD(fd);
    return 0;
}

int installs_check(const struct settings *settings, const struct driver_create_in *in, struct error *e)
{
    for (size_t i = 0; i < in->n_packages; i++) {
        const struct driver_package *p = in->packages[i];
        _cleanup_free_ char *path = xasprintf("%s/%s/%s", settings->ipk_install, p->name, p->id);
        _cleanup_close_ int store = -1, package = -1, install = -1;
        int r = step(AT_FDCWD, settings->ipk_install, path, &store, e);
        if (r >= 0)
            r = step(store, p->name, path, &package, e);
        if (r >= 0)
            r = step(package, p->id, path, &install, e);
        if (r < 0)
            return error_prefix(e, "%s", in->instance);
    }
    return 0;
}
