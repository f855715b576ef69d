/* Implements packages.h. */
#include "hostletd/packages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/paths/tree.h"

/* Gives one entry to root: removes it if it is not a directory and not root's; sets owner and mode if it is a
 * directory and 'directories' is set. Returns 1 and an open descriptor if the caller must examine the
 * directory's entries, also if it was root's before, because a crash may have interrupted an earlier
 * examination. Only root can rename the entry at this point, because the parent directory is root's. Returns
 * 0 if there is nothing to examine, or a negative errno. */
static int take(int dir, const char *path, const char *name, bool directories, int *ret, struct error *e)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot stat '%s/%s'", path, name);
    if (!S_ISDIR(st.st_mode) && st.st_uid != 0) {
        log_warning("'%s/%s' of user %u is not a directory: removed", path, name, st.st_uid);
        if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
            return error_os(e, errno, "cannot remove '%s/%s'", path, name);
    }
    if (!S_ISDIR(st.st_mode) || !directories)
        return 0;
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool good = st.st_uid == 0 && !(st.st_mode & 0022);
    if (fd < 0 || (!good && (fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)))
        return error_os(e, errno, "cannot give '%s/%s' to root", path, name);
    if (!good)
        log_notice("'%s/%s' belonged to user %u, now to root", path, name, st.st_uid);
    *ret = TAKE_FD(fd);
    return 1;
}

/* Examines the entries of a directory that root owns. With 'directories' it gives directories to root and
 * examines what is in them. Takes ownership of 'fd', also on failure. */
static int take_all(int fd, const char *path, bool directories, struct error *e)
{
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return error_os(e, ENOMEM, "cannot read '%s'", path);
    }
    struct dirent *d;
    while ((d = readdir(dir))) {
        if (streq(d->d_name, ".") || streq(d->d_name, "..") || streq(d->d_name, IPK_STAGING))
            continue;
        int child = -1, r = take(fd, path, d->d_name, directories, &child, e);
        if (r > 0) {
            _cleanup_free_ char *below = xasprintf("%s/%s", path, d->d_name);
            r = take_all(child, below, false, e);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

int packages_take(int fd, const char *path, struct error *e)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return copy < 0 ? error_os(e, errno, "cannot open '%s'", path) : take_all(copy, path, true, e);
}

static bool is_left(int dir, const char *name)
{
    struct stat st;
    if (after_prefix(name, IPK_UNFINISHED))
        return true;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (st.st_uid != geteuid() || (S_ISDIR(st.st_mode) && st.st_mode & 0022));
}

/* Reports whether the directory 'name' of the store contains unfinished work; every entry of IPK_PUBLISHING
 * is unfinished. */
static bool left_in(int store, const char *name)
{
    bool all = streq(name, IPK_PUBLISHING), found = false;
    int fd = openat(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *d;
    if (!dir) {
        close_fd(fd);
        return false;
    }
    while (!found && (d = readdir(dir)))
        found = !streq(d->d_name, ".") && !streq(d->d_name, "..") && (all || is_left(fd, d->d_name));
    return found;
}

bool packages_left(const char *path)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    bool found = false;
    struct dirent *d;
    while (!found && dir && (d = readdir(dir)))
        found = (d->d_name[0] != '.' || streq(d->d_name, IPK_PUBLISHING)) && left_in(dirfd(dir), d->d_name);
    return found;
}
