/* Removing a whole tree that somebody else filled; see fs.h.
 *
 * Neither the stack nor the number of descriptors grows with the depth of the tree, which the other side
 * chooses: a directory that is not empty is moved up into the top one, under a number, and emptied there
 * later. So whatever is met lies one level below the top, and no path is ever walked. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

/* A directory that still fills after so many passes has somebody who fills it. */
#define PASSES_MAX 1000

struct removal {
    int top;
    char prefix[32];      /* of the names that directories are lifted to */
    uint64_t first, next; /* numbers of those that were lifted and are not removed yet */
    struct error *e;
    int result; /* the first failure; the rest is removed all the same */
};

/* Records the first failure, naming the place where the entry lies now. */
static int failed(struct removal *r, int dirfd, const char *name, int errnum)
{
    if (r->result < 0)
        return -errnum;
    char link[64], place[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    ssize_t n = readlink(link, place, sizeof place - 1);
    place[n > 0 ? n : 0] = '\0';
    if (errnum == EBUSY || errnum == EXDEV) {
        errnum = EXDEV;
        error_refuse(r->e, errnum, "'%s/%s' is a mount point: not removed", place, name);
    } else {
        error_os(r->e, errnum, "cannot remove '%s/%s'", place, name);
    }
    r->result = -errnum;
    return -errnum;
}

/* Changes the mode of a directory whose mode denies us, never of what a symlink points to. */
static int allow_us(int dirfd, const char *name)
{
    struct error ignored = ERROR_INIT;
    _cleanup_close_ int fd = open_beneath(dirfd, name, O_PATH | O_DIRECTORY, 0, &ignored);
    if (fd < 0)
        return fd;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return chmod(path, 0700) < 0 ? -errno : 0;
}

static int open_directory(int dirfd, const char *name)
{
    struct error ignored = ERROR_INIT;
    int fd = open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, &ignored);
    if (fd == -EACCES && allow_us(dirfd, name) == 0)
        fd = open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, &ignored);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
        (void)fchmod(fd, 0700); /* what cannot be removed for lack of it is reported */
    return fd;
}

/* Removes an entry that is no directory, or an empty one. 0: gone; −ENOTEMPTY: a directory to be lifted. */
static int remove_simple(int dirfd, const char *name, unsigned char type)
{
    int refused = 0;
    if (type != DT_DIR) {
        if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
            return 0;
        if (errno != EISDIR && errno != EPERM)
            return -errno;
        refused = errno;
    }
    if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno == ENOTDIR) /* swapped meanwhile: the next pass sees what it is; or a file we may not remove */
        return refused == EPERM ? -EPERM : -ENOTDIR;
    return errno == EEXIST ? -ENOTEMPTY : -errno;
}

/* Moves a directory up into the top one. */
static int lift(struct removal *r, int dirfd, const char *name)
{
    char lifted[64];
    snprintf(lifted, sizeof lifted, "%s%" PRIu64, r->prefix, r->next);
    int done = renameat(dirfd, name, r->top, lifted);
    /* Without privileges, moving a directory takes write access to it. */
    if (done < 0 && errno == EACCES && allow_us(dirfd, name) == 0)
        done = renameat(dirfd, name, r->top, lifted);
    if (done < 0)
        return errno == ENOENT ? 0 : -errno;
    r->next++;
    return 0;
}

/* One pass over a directory: how many entries went, by removal or, when 'lifting', upwards. */
static unsigned long pass(struct removal *r, DIR *dir, bool lifting, int *ret_failure, char *ret_name)
{
    unsigned long gone = 0;
    rewinddir(dir);
    for (struct dirent *d; (d = readdir(dir));) {
        const char *name = d->d_name;
        if (streq(name, ".") || streq(name, "..") || (dirfd(dir) == r->top && after_prefix(name, r->prefix)))
            continue;
        int x = remove_simple(dirfd(dir), name, d->d_type);
        if (x == -ENOTEMPTY && lifting)
            x = lift(r, dirfd(dir), name);
        if (x == 0) {
            gone++;
        } else if (*ret_failure == 0 || *ret_failure == -ENOTEMPTY) {
            *ret_failure = x;
            snprintf(ret_name, NAME_MAX + 1, "%s", name);
        }
    }
    return gone;
}

/* Empties a directory: files first, which makes room on a full disk for the renames. A pass that fails in
 * part is repeated as long as something goes. */
static int empty(struct removal *r, DIR *dir)
{
    char name[NAME_MAX + 1] = "";
    int failure = 0;
    pass(r, dir, false, &failure, name);
    for (int i = 0; i < PASSES_MAX; i++) {
        failure = 0;
        unsigned long gone = pass(r, dir, true, &failure, name);
        if (gone == 0 && failure == 0)
            return 0;
        if (gone == 0)
            return failed(r, dirfd(dir), name, -failure);
    }
    return failed(r, dirfd(dir), name, EAGAIN);
}

static int remove_directory(struct removal *r, int parent, const char *name)
{
    int fd = open_directory(parent, name);
    if (fd < 0)
        return fd == -ENOENT ? 0 : failed(r, parent, name, -fd);
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return failed(r, parent, name, ENOMEM);
    }
    int x = empty(r, dir);
    if (x < 0)
        return x;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return failed(r, parent, name, errno);
    return 0;
}

static void remove_lifted(struct removal *r)
{
    for (; r->first < r->next; r->first++) {
        char lifted[64];
        snprintf(lifted, sizeof lifted, "%s%" PRIu64, r->prefix, r->first);
        remove_directory(r, r->top, lifted);
    }
}

static int remove_top(int parent, const char *name, struct error *e)
{
    struct removal r = {.top = -1, .e = e};
    char random[9];
    random_hex(random, 4);
    snprintf(r.prefix, sizeof r.prefix, ".removing-%s-", random);

    int x = remove_simple(parent, name, DT_UNKNOWN);
    if (x == 0)
        return 0;
    if (x != -ENOTEMPTY)
        return failed(&r, parent, name, -x);
    int fd = open_directory(parent, name);
    if (fd < 0)
        return fd == -ENOENT ? 0 : failed(&r, parent, name, -fd);
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return failed(&r, parent, name, ENOMEM);
    }
    r.top = dirfd(dir);
    empty(&r, dir);
    remove_lifted(&r);
    if (r.result < 0)
        return r.result;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return failed(&r, parent, name, errno);
    return 0;
}

int remove_tree_at(int dirfd, const char *name, struct error *e)
{
    const char *slash = strrchr(name, '/');
    if (!slash)
        return remove_top(dirfd, name, e);
    _cleanup_free_ char *directory = xstrndup(name, (size_t)(slash - name) + 1);
    _cleanup_close_ int parent = openat(dirfd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot open directory '%s'", directory);
    return remove_top(parent, slash + 1, e);
}
