/* Implements remove_tree_at() of remove_tree.h for a tree whose content another user controls.
 *
 * That user chooses depth, names, modes and projects. So neither stack nor descriptors nor memory may grow
 * with the tree, and the removal may not depend on a rename. A walk keeps the directories on its path
 * open, at most LEVELS_MAX. A deeper directory is moved up into the top directory, under a number, and
 * emptied there later. If the filesystem refuses the move (a full disk, or a directory of another project
 * below one that passes its own project on), the walk continues downwards, closes the directory that has
 * been open longest, and is repeated from the top: each repetition removes the deepest directories. No
 * path of several components is resolved, and ".." is never opened. */
#include "lib/basic/remove_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

/* If a directory still fills after this number of passes, another process is filling it. */
#define PASSES_MAX 1000
#define LEVELS_MAX 16
#define PLACE_MAX  400 /* bytes of a path in an error */

/* A directory that is being emptied. */
struct level {
    /* Borrowed. −1: the parent was closed, and the next walk removes the directory. */
    int parent;
    DIR *dir;
    bool is_top;
    char name[NAME_MAX + 1]; /* name in the parent */
    unsigned passes;
    unsigned long gone; /* entries removed in this pass */
    int failure;        /* positive errno: the first failure of this pass, and the name of its entry */
    char failed_name[NAME_MAX + 1];
};

struct removal {
    int top;
    char prefix[32];      /* of the names that lifted directories get */
    uint64_t first, next; /* numbers of lifted directories that are not removed yet */
    struct level levels[LEVELS_MAX];
    size_t depth;          /* levels in use */
    bool cut;              /* this walk closed directories that are not empty */
    unsigned long removed; /* entries in total */
    struct error *e;
    int result; /* the first failure; the rest is removed nevertheless */
};

static bool is_protected(int dirfd, const char *name)
{
    struct statx st;
    return statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH), 0, &st) ==
               0 &&
           (st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND));
}

/* Writes the path of a directory. The middle of a long path is omitted: both ends tell more, and an error
 * has no room for more. */
static void place_of(const struct removal *r, int dirfd, char place[PLACE_MAX])
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (n >= PLACE_MAX)
        snprintf(place, PLACE_MAX, "%.*s[…]%s", PLACE_MAX / 2, path, path + n - PLACE_MAX / 3);
    else if (n > 0 || dirfd == r->top)
        snprintf(place, PLACE_MAX, "%.*s", PLACE_MAX - 1, path);
    else { /* the kernel cannot name the path either */
        place_of(r, r->top, place);
        snprintf(place + strlen(place), PLACE_MAX - strlen(place), "/[…]");
    }
}

/* Records the first failure with the entry's current path. */
static int failed(struct removal *r, int dirfd, const char *name, int errnum)
{
    if (r->result < 0)
        return -errnum;
    char place[PLACE_MAX];
    place_of(r, dirfd, place);
    /* These errors are those of unlink and open: the errors of a rename do not reach this function. */
    if (errnum == EBUSY || errnum == EXDEV) {
        errnum = EXDEV;
        error_refuse(r->e, errnum, "'%s/%s' is a mount point: not removed", place, name);
    } else if (errnum == EPERM && (is_protected(dirfd, name) || is_protected(dirfd, ""))) {
        error_fail(r->e, errnum,
                   "cannot remove '%s/%s': it, or its directory, is immutable or append-only; only an "
                   "administrator can have set that, and 'chattr -i -a' takes it away",
                   place, name);
    } else {
        error_os(r->e, errnum, "cannot remove '%s/%s'", place, name);
    }
    r->result = -errnum;
    return -errnum;
}

/* Changes the mode of a directory whose mode denies access, never that of a symbolic link's target. */
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
        (void)fchmod(fd, 0700); /* a failed removal that follows from it is reported */
    return fd;
}

/* Removes an entry that is not a directory, or an empty directory. Returns 0: removed; −ENOTEMPTY: the
 * directory must be emptied first. */
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
    /* Either the entry was exchanged meanwhile, and the next pass handles it, or it is a file that this
     * process may not remove. */
    if (errno == ENOTDIR)
        return refused == EPERM ? -EPERM : -ENOTDIR;
    return errno == EEXIST ? -ENOTEMPTY : -errno;
}

/* Clears the flag with which a directory passes its project on: with the flag, it accepts no directory of
 * another project. A directory that is being removed needs no project. */
static bool stop_inheritance(int dir)
{
    struct fsxattr attributes;
    if (ioctl(dir, FS_IOC_FSGETXATTR, &attributes) < 0 || !(attributes.fsx_xflags & FS_XFLAG_PROJINHERIT))
        return false;
    attributes.fsx_xflags &= ~(uint32_t)FS_XFLAG_PROJINHERIT;
    return ioctl(dir, FS_IOC_FSSETXATTR, &attributes) == 0;
}

/* Moves a directory up into the top directory. */
static int lift(struct removal *r, int dirfd, const char *name)
{
    char lifted[64];
    snprintf(lifted, sizeof lifted, "%s%" PRIu64, r->prefix, r->next);
    int done = renameat(dirfd, name, r->top, lifted);
    /* An unprivileged process needs write access to the directory that it moves. */
    if (done < 0 && errno == EACCES && allow_us(dirfd, name) == 0)
        done = renameat(dirfd, name, r->top, lifted);
    if (done < 0 && errno == EXDEV && stop_inheritance(r->top))
        done = renameat(dirfd, name, r->top, lifted);
    if (done < 0)
        return errno == ENOENT ? 0 : -errno;
    r->next++;
    return 0;
}

static int push(struct removal *r, int parent, const char *name, int fd)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return -ENOMEM;
    }
    struct level *l = &r->levels[r->depth++];
    *l = (struct level){.parent = parent, .dir = dir};
    snprintf(l->name, sizeof l->name, "%s", name);
    return 0;
}

static void pop(struct removal *r)
{
    closedir(r->levels[--r->depth].dir);
}

/* Closes the directory that has been open longest, so that another one can be opened. */
static void let_go(struct removal *r)
{
    closedir(r->levels[0].dir);
    memmove(&r->levels[0], &r->levels[1], --r->depth * sizeof r->levels[0]);
    r->levels[0].parent = -1;
    r->cut = true;
}

/* Opens a directory that is not empty as the deepest level, or lifts it. Returns 1: it is the deepest
 * level now; 0: it is no longer here. */
static int enter(struct removal *r, int dirfd, const char *name)
{
    if (r->depth == LEVELS_MAX) {
        if (lift(r, dirfd, name) == 0)
            return 0;
        let_go(r);
    }
    int fd = open_directory(dirfd, name);
    if (fd == -EMFILE || fd == -ENFILE) {
        if (lift(r, dirfd, name) == 0)
            return 0;
        if (r->depth > 1) {
            let_go(r);
            fd = open_directory(dirfd, name);
        }
    }
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int x = push(r, dirfd, name, fd);
    return x < 0 ? x : 1;
}

/* Removes the next entry of the deepest level, or enters it. Returns false at the end of the directory. */
static bool step(struct removal *r)
{
    struct level *l = &r->levels[r->depth - 1];
    struct dirent *d = readdir(l->dir);
    if (!d)
        return false;
    const char *name = d->d_name;
    if (streq(name, ".") || streq(name, "..") || (l->is_top && after_prefix(name, r->prefix)))
        return true;
    int x = remove_simple(dirfd(l->dir), name, d->d_type);
    if (x == 0)
        r->removed++;
    if (x == -ENOTEMPTY)
        x = enter(r, dirfd(l->dir), name);
    if (x > 0)
        return true;
    l = &r->levels[r->depth - 1]; /* let_go() may have moved it */
    if (x == 0) {
        l->gone++;
    } else if (l->failure == 0) {
        l->failure = -x;
        snprintf(l->failed_name, sizeof l->failed_name, "%s", name);
    }
    return true;
}

/* Removes the deepest level, whose end was reached, and reports whether it no longer exists. *ret_left is
 * the errno of a failed removal. */
static bool remove_level(struct removal *r, const struct level *l, int *ret_left)
{
    if (l->is_top || l->parent < 0)
        return false;
    if (unlinkat(l->parent, l->name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        *ret_left = errno == EEXIST ? ENOTEMPTY : errno;
        return false;
    }
    r->removed++;
    return true;
}

/* Handles the end of the deepest level: removes it, or reads it again if entries were removed in this pass
 * or added meanwhile, or records its failure. */
static void end(struct removal *r)
{
    struct level *l = &r->levels[r->depth - 1];
    int left = 0;
    if (remove_level(r, l, &left)) {
        pop(r);
        if (r->depth > 0)
            r->levels[r->depth - 1].gone++;
        return;
    }
    bool again = l->gone > 0 || (left == ENOTEMPTY && l->failure == 0 && r->result == 0);
    if (again && ++l->passes < PASSES_MAX) {
        rewinddir(l->dir);
        l->gone = 0;
        l->failure = 0;
        return;
    }
    if (again)
        failed(r, dirfd(l->dir), ".", EAGAIN);
    else if (l->failure)
        failed(r, dirfd(l->dir), l->failed_name, l->failure);
    else if (left)
        failed(r, l->parent, l->name, left);
    pop(r);
}

/* Walks down from an open directory, whose descriptor it owns from then on, until no removable entry is
 * left. */
static int walk(struct removal *r, int parent, const char *name, int fd)
{
    r->cut = false;
    int x = push(r, parent, name, fd);
    if (x < 0)
        return failed(r, parent, name, -x);
    r->levels[0].is_top = parent < 0;
    rewinddir(r->levels[0].dir);
    while (r->depth > 0)
        if (!step(r))
            end(r);
    return 0;
}

static void empty_top(struct removal *r)
{
    unsigned long before;
    do {
        before = r->removed;
        int fd = fcntl(r->top, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            failed(r, r->top, ".", errno);
        else
            walk(r, -1, ".", fd);
    } while (r->cut && r->removed > before);
}

static void remove_lifted(struct removal *r, const char *name)
{
    unsigned long before;
    do {
        before = r->removed;
        int fd = open_directory(r->top, name);
        if (fd == -ENOENT)
            return;
        if (fd < 0)
            failed(r, r->top, name, -fd);
        else
            walk(r, r->top, name, fd);
    } while (r->cut && r->removed > before);
}

static int remove_directory(struct removal *r, int parent, const char *name)
{
    empty_top(r);
    for (; r->first < r->next; r->first++) {
        char lifted[64];
        snprintf(lifted, sizeof lifted, "%s%" PRIu64, r->prefix, r->first);
        remove_lifted(r, lifted);
    }
    if (r->result < 0)
        return r->result;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return failed(r, parent, name, errno);
    return 0;
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
    _cleanup_close_ int top = open_directory(parent, name);
    if (top < 0)
        return top == -ENOENT ? 0 : failed(&r, parent, name, -top);
    r.top = top;
    return remove_directory(&r, parent, name);
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
