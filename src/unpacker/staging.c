/* Implements staging.h. */
#include "unpacker/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/remove_tree.h"

#define PREFIX ".making-"

static char *hidden_name(const char *id)
{
    char random[13];
    random_hex(random, 6);
    return xasprintf(PREFIX "%s-%s", id, random);
}

/* Opens and locks a directory. Returns its descriptor or a negative errno: −EWOULDBLOCK if another process
 * holds the lock, −ESTALE if the directory was removed before it was locked. */
static int open_locked(int dir, const char *name)
{
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
        return -errno;
    return st.st_nlink == 0 ? -ESTALE : TAKE_FD(fd);
}

int staging_create(int dir, const char *id, struct staging *ret, struct error *e)
{
    /* Another process that cleans up can remove the directory between the two calls. Then another name is
     * tried. */
    for (int attempt = 0;; attempt++) {
        _cleanup_free_ char *name = hidden_name(id);
        if (mkdirat(dir, name, 0755) < 0)
            return error_os(e, errno, "cannot make directory '%s'", name);
        int root = open_locked(dir, name);
        if (root >= 0) {
            *ret = (struct staging){dir, root, TAKE_PTR(name)};
            return 0;
        }
        if (attempt == 10 || (root != -ESTALE && root != -EWOULDBLOCK))
            return error_os(e, -root, "cannot lock directory '%s'", name);
    }
}

int staging_finish(struct staging *s, const char *key, struct error *e)
{
    if (renameat2(s->dir, s->name, s->dir, key, RENAME_NOREPLACE) < 0)
        return error_os(e, errno, "cannot rename '%s' to '%s'", s->name, key);
    free(TAKE_PTR(s->name));
    return 0;
}

void staging_clear(struct staging *s)
{
    if (s->name)
        /* If this fails, the next start removes it. */
        (void)remove_tree_at(s->dir, s->name, NULL);
    free(s->name);
    close_fd(s->root);
    *s = (struct staging)STAGING_INIT;
}

int staging_exists(int dir, const char *name, struct error *e)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot stat '%s'", name);
    if (!S_ISDIR(st.st_mode))
        return error_set(e, ERROR_CONFLICT, ENOTDIR, "'%s' is in the way: it is not a directory", name);
    return 1;
}

int staging_remove(int dir, const char *key, bool *ret_removed, struct error *e)
{
    _cleanup_free_ char *hidden = hidden_name(key);
    bool there = renameat2(dir, key, dir, hidden, RENAME_NOREPLACE) == 0;
    if (!there && errno != ENOENT)
        return error_os(e, errno, "cannot rename '%s' away", key);
    *ret_removed = there;
    if (!there)
        return 0;
    _cleanup_close_ int lock = open_locked(dir, hidden);
    if (lock < 0 && lock != -EWOULDBLOCK && lock != -ESTALE && lock != -ENOTDIR && lock != -ELOOP)
        return error_os(e, -lock, "cannot lock '%s'", hidden);
    return remove_tree_at(dir, hidden, e);
}

static int list(int dir, DIR **ret, struct error *e)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        int why = errno;
        close_fd(fd);
        return error_os(e, why, "cannot read the staging directory");
    }
    *ret = d;
    return 0;
}

int staging_forget(int dir, struct error *e)
{
    _cleanup_closedir_ DIR *entries = NULL;
    int r = list(dir, &entries, e);
    if (r < 0)
        return r;
    struct dirent *d;
    while ((d = readdir(entries))) {
        if (d->d_name[0] == '.')
            continue;
        _cleanup_free_ char *hidden = hidden_name("left");
        /* The provisioner may have moved the entry meanwhile. */
        if (renameat2(dir, d->d_name, dir, hidden, RENAME_NOREPLACE) < 0 && errno != ENOENT)
            return error_os(e, errno, "cannot rename '%s' away", d->d_name);
    }
    return 0;
}

int staging_clean(int dir, unsigned *ret_removed, struct error *e)
{
    _cleanup_closedir_ DIR *entries = NULL;
    int result = list(dir, &entries, e);
    if (result < 0)
        return result;
    unsigned removed = 0;
    struct dirent *d;
    while ((d = readdir(entries))) {
        if (!after_prefix(d->d_name, PREFIX))
            continue;
        _cleanup_close_ int lock = open_locked(dir, d->d_name);
        if (lock == -EWOULDBLOCK || lock == -ESTALE)
            continue;
        struct error why = ERROR_INIT;
        bool odd = lock == -ENOTDIR || lock == -ELOOP;
        int r = lock < 0 && !odd ? error_os(&why, -lock, "cannot lock '%s'", d->d_name)
                                 : remove_tree_at(dir, d->d_name, &why);
        if (r >= 0) {
            removed++;
        } else if (result == 0) {
            result = r;
            if (e)
                *e = why;
        }
    }
    *ret_removed = removed;
    return result;
}
