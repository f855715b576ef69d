/* The install store; see staging.h. */
#include "unpacker/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"

#define PREFIX ".staging-"

static char *staging_name(const char *id)
{
    char random[13];
    random_hex(random, 6);
    return xasprintf(PREFIX "%s-%s", id, random);
}

/* A locked descriptor of the directory, or a negative errno; −ESTALE when it vanished before it was locked. */
static int open_locked(int parent, const char *name)
{
    _cleanup_close_ int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
        return -errno;
    return st.st_nlink == 0 ? -ESTALE : TAKE_FD(fd);
}

static int open_package(int store, const char *package, bool make, struct error *e)
{
    if (make && mkdirat(store, package, 0755) < 0 && errno != EEXIST)
        return error_os(e, errno, "cannot make directory '%s'", package);
    int fd = openat(store, package, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : error_os(e, errno, "cannot open directory '%s'", package);
}

int staging_create(int store, const char *package, const char *id, struct staging *ret, struct error *e)
{
    _cleanup_close_ int parent = open_package(store, package, true, e);
    if (parent < 0)
        return parent;
    /* Another process that cleans up may take it away between the two calls: then with another name. */
    for (int attempt = 0;; attempt++) {
        _cleanup_free_ char *name = staging_name(id);
        if (mkdirat(parent, name, 0755) < 0)
            return error_os(e, errno, "cannot make directory '%s/%s'", package, name);
        int root = open_locked(parent, name);
        if (root >= 0) {
            *ret = (struct staging){TAKE_FD(parent), root, TAKE_PTR(name)};
            return 0;
        }
        if (attempt == 10 || (root != -ESTALE && root != -EWOULDBLOCK))
            return error_os(e, -root, "cannot lock directory '%s/%s'", package, name);
    }
}

int staging_publish(struct staging *s, const char *id, struct error *e)
{
    if (renameat2(s->parent, s->name, s->parent, id, RENAME_NOREPLACE) < 0)
        return error_os(e, errno, "cannot rename '%s' to '%s'", s->name, id);
    free(TAKE_PTR(s->name));
    if (fsync(s->parent) < 0)
        return error_os(e, errno, "cannot sync the directory of '%s'", id);
    return 0;
}

void staging_clear(struct staging *s)
{
    if (s->name)
        (void)remove_tree_at(s->parent, s->name, NULL); /* else at the next start */
    free(s->name);
    close_fd(s->root);
    close_fd(s->parent);
    *s = (struct staging)STAGING_INIT;
}

int install_exists(int store, const char *package, const char *id, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", package, id);
    struct stat st;
    if (fstatat(store, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot stat '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(e, ERROR_CONFLICT, ENOTDIR, "'%s' is in the way: it is not a directory", path);
    return 1;
}

int install_remove(int store, const char *package, const char *id, bool *ret_removed, struct error *e)
{
    int r = install_exists(store, package, id, e);
    if (r < 0)
        return r;
    *ret_removed = r > 0;
    if (r == 0)
        return 0;
    _cleanup_close_ int parent = open_package(store, package, false, e);
    if (parent < 0)
        return parent;
    _cleanup_free_ char *hidden = staging_name(id);
    if (renameat2(parent, id, parent, hidden, RENAME_NOREPLACE) < 0)
        return error_os(e, errno, "cannot rename '%s' away", id);
    if (fsync(parent) < 0)
        return error_os(e, errno, "cannot sync directory '%s'", package);
    if (failpoint("remove.renamed") < 0)
        return error_fail(e, EIO, "failpoint remove.renamed");
    _cleanup_close_ int lock = open_locked(parent, hidden);
    if (lock < 0 && lock != -EWOULDBLOCK && lock != -ESTALE)
        return error_os(e, -lock, "cannot lock '%s'", hidden);
    return remove_tree_at(parent, hidden, e);
}

static int clean_package(int store, const char *package, unsigned *removed, struct error *e)
{
    int fd = openat(store, package, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP || errno == ENOENT
                   ? 0
                   : error_os(e, errno, "cannot open directory '%s'", package);
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return error_os(e, ENOMEM, "cannot read directory '%s'", package);
    }
    int result = 0;
    struct dirent *d;
    while ((d = readdir(dir))) {
        if (!after_prefix(d->d_name, PREFIX))
            continue;
        _cleanup_close_ int lock = open_locked(fd, d->d_name);
        if (lock == -EWOULDBLOCK || lock == -ESTALE)
            continue;
        struct error why = ERROR_INIT;
        int r = lock < 0 ? error_os(&why, -lock, "cannot lock '%s/%s'", package, d->d_name)
                         : remove_tree_at(fd, d->d_name, &why);
        if (r >= 0) {
            (*removed)++;
        } else if (result == 0) {
            result = r;
            if (e)
                *e = why;
        }
    }
    return result;
}

int staging_clean(int store, unsigned *ret_removed, struct error *e)
{
    _cleanup_close_ int copy = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0)
        return error_os(e, errno, "cannot open the install directory");
    _cleanup_closedir_ DIR *dir = fdopendir(copy);
    if (!dir)
        return error_os(e, ENOMEM, "cannot read the install directory");
    (void)TAKE_FD(copy);
    unsigned removed = 0;
    int result = 0;
    struct dirent *d;
    while ((d = readdir(dir))) {
        struct error why = ERROR_INIT;
        int r = d->d_name[0] == '.' ? 0 : clean_package(store, d->d_name, &removed, &why);
        if (r < 0 && result == 0) {
            result = r;
            if (e)
                *e = why;
        }
    }
    *ret_removed = removed;
    return result;
}
