/* Implements copy.h.
 *
 * A tenant made the tree: every entry is opened by its name beneath its directory's descriptor, and no
 * symbolic link is followed. Nothing changes the source meanwhile, since its container is stopped; if
 * something does, the copy can fail, and cannot leave the two directories. Memory does not depend on the
 * number of files. */
#include "inagent/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

/* Each level of the descent has two descriptors and a part of the stack. */
#define DEPTH_MAX 2000
#define CHUNK     ((size_t)1 << 20)  /* bytes copied by one call */
#define XATTR_MAX ((size_t)64 << 10) /* bytes; the kernel's limit of a value and of the list of names */
#define LINKS_NAME                                                                                           \
    ".hostlet-links" /* of the directory in the target that contains files with several names */

struct copy {
    int links; /* the directory in the target with one name for each inode that has several; −1: none yet */
    char links_name[sizeof LINKS_NAME + 12];
    int to_top;
    const char *from_top, *volume; /* the directory, and what it is called in messages */
    char path[PATH_MAX];           /* of the entry in progress, for messages; cut if it is longer */
    size_t path_size;
    char *buffer; /* XATTR_MAX bytes for the list of names, and as many for a value */
};

/* The tenant chooses the length of the path. The end of a message, the reason, is more important. */
static int fail(const struct copy *c, struct error *e, int errnum, const char *what)
{
    return error_os(e, errnum, "cannot %s '%.128s%.128s%s'", what, c->volume, c->path,
                    c->path_size > 128 ? "…" : "");
}

/* --- owner, mode, times, attributes --- */

/* Reports whether an attribute is copied: those that a container can set. The others belong to the kernel or
 * to a security module. */
static bool is_copied(const char *attribute)
{
    return after_prefix(attribute, "user.") || streq(attribute, "system.posix_acl_access") ||
           streq(attribute, "system.posix_acl_default") || streq(attribute, "security.capability");
}

static int copy_attributes(struct copy *c, const char *from, const char *to, struct error *e)
{
    char *names = c->buffer, *value = c->buffer + XATTR_MAX;
    ssize_t n = llistxattr(from, names, XATTR_MAX);
    if (n < 0)
        return errno == ENOTSUP ? 0 : fail(c, e, errno, "read the attributes of");
    for (const char *name = names; name < names + n; name += strlen(name) + 1) {
        if (!is_copied(name))
            continue;
        ssize_t size = lgetxattr(from, name, value, XATTR_MAX);
        if (size < 0)
            return fail(c, e, errno, "read an attribute of");
        if (lsetxattr(to, name, value, (size_t)size, 0) < 0)
            return fail(c, e, errno, "set an attribute of the copy of");
    }
    return 0;
}

/* Gives to/name what belongs to from/name beside its content. The owner comes first: a change of it removes
 * set-id bits and file capabilities. */
static int copy_metadata(struct copy *c, int from, int to, const char *name, const struct stat *st,
                         struct error *e)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    char from_path[NAME_MAX + 40], to_path[NAME_MAX + 40];
    snprintf(from_path, sizeof from_path, "/proc/self/fd/%d/%s", from, name);
    snprintf(to_path, sizeof to_path, "/proc/self/fd/%d/%s", to, name);
    if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(c, e, errno, "set the owner of the copy of");
    if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
        return fail(c, e, errno, "set the mode of the copy of");
    int r = copy_attributes(c, from_path, to_path, e);
    if (r < 0)
        return r;
    if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(c, e, errno, "set the times of the copy of");
    return 0;
}

/* --- content --- */

/* Copies at most 'size' bytes at 'at' through the buffer. Returns how many, or −1 with errno. */
static ssize_t copy_by_hand(const struct copy *c, int in, int out, off_t at, size_t size)
{
    ssize_t n = pread(in, c->buffer, size < XATTR_MAX ? size : XATTR_MAX, at);
    return n <= 0 ? n : pwrite(out, c->buffer, (size_t)n, at);
}

/* Copies 'size' bytes at 'at', by the kernel if both filesystems allow it. */
static int copy_range(struct copy *c, int in, int out, off_t at, off_t size, struct error *e)
{
    bool by_hand = false;
    while (size > 0) {
        off_t from = at, to = at;
        size_t want = size > (off_t)CHUNK ? CHUNK : (size_t)size;
        ssize_t n =
            by_hand ? copy_by_hand(c, in, out, at, want) : copy_file_range(in, &from, out, &to, want, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && !by_hand &&
            (errno == EXDEV || errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP)) {
            by_hand = true;
            continue;
        }
        if (n < 0)
            return fail(c, e, errno, "copy");
        if (n == 0) /* the file became shorter */
            break;
        at += n;
        size -= n;
    }
    return 0;
}

/* Copies what is not a hole. */
static int copy_data(struct copy *c, int in, int out, off_t size, struct error *e)
{
    if (ftruncate(out, size) < 0)
        return fail(c, e, errno, "make the copy of");
    for (off_t at = 0; at < size;) {
        off_t data = lseek(in, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) /* the rest is a hole */
            return 0;
        off_t end = data < 0 ? size : lseek(in, data, SEEK_HOLE);
        data = data < 0 ? at : data;
        end = end < 0 || end > size ? size : end;
        int r = copy_range(c, in, out, data, end - data, e);
        if (r < 0)
            return r;
        at = end;
    }
    return 0;
}

static int copy_file(struct copy *c, int from, int to, const char *name, struct error *e)
{
    struct stat st;
    _cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (in < 0 || fstat(in, &st) < 0)
        return fail(c, e, errno, "read");
    if (!S_ISREG(st.st_mode))
        return fail(c, e, ESTALE, "read");
    _cleanup_close_ int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return out < 0 ? fail(c, e, errno, "make the copy of") : copy_data(c, in, out, st.st_size, e);
}

static int copy_symlink(struct copy *c, int from, int to, const char *name, struct error *e)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from, name, target, sizeof target - 1);
    if (n < 0)
        return fail(c, e, errno, "read");
    target[n] = '\0';
    return symlinkat(target, to, name) < 0 ? fail(c, e, errno, "make the copy of") : 0;
}

/* Copies an entry that is not a directory. */
static int copy_leaf(struct copy *c, int from, int to, const char *name, const struct stat *st,
                     struct error *e)
{
    int r = 0;
    if (S_ISREG(st->st_mode))
        r = copy_file(c, from, to, name, e);
    else if (S_ISLNK(st->st_mode))
        r = copy_symlink(c, from, to, name, e);
    else if (mknodat(to, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
        r = fail(c, e, errno, "make the copy of");
    return r < 0 ? r : copy_metadata(c, from, to, name, st, e);
}

/* --- hard links --- */

/* Makes the directory for files with several names, under a name that the source does not have. */
static int open_links(struct copy *c, struct error *e)
{
    for (unsigned i = 0; c->links < 0; i++) {
        char path[PATH_MAX];
        struct stat st;
        snprintf(c->links_name, sizeof c->links_name, LINKS_NAME "-%u", i);
        snprintf(path, sizeof path, "%s/%s", c->from_top, c->links_name);
        if (lstat(path, &st) == 0)
            continue;
        if (mkdirat(c->to_top, c->links_name, 0700) < 0)
            return fail(c, e, errno, "make a directory for the copy of");
        c->links = openat(c->to_top, c->links_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (c->links < 0)
            return fail(c, e, errno, "open a directory for the copy of");
    }
    return 0;
}

/* Copies an entry with several names: the first time as a file named after its inode, to which all names are
 * linked. */
static int copy_linked(struct copy *c, int from, int to, const char *name, const struct stat *st,
                       struct error *e)
{
    char inode[24];
    int r = open_links(c, e);
    if (r < 0)
        return r;
    snprintf(inode, sizeof inode, "%llu", (unsigned long long)st->st_ino);
    if (linkat(c->links, inode, to, name, 0) == 0)
        return 0;
    if (errno != ENOENT)
        return fail(c, e, errno, "link the copy of");
    r = copy_leaf(c, from, to, name, st, e);
    return r >= 0 && linkat(to, name, c->links, inode, 0) < 0 ? fail(c, e, errno, "link the copy of") : r;
}

/* Removes the directory again, with the names in it. */
static int close_links(struct copy *c, struct error *e)
{
    if (c->links < 0)
        return 0;
    _cleanup_closedir_ DIR *dir = fdopendir(c->links);
    if (!dir)
        return fail(c, e, errno, "close a directory for the copy of");
    for (struct dirent *d; (d = readdir(dir));)
        if (d->d_name[0] != '.' && unlinkat(dirfd(dir), d->d_name, 0) < 0)
            return fail(c, e, errno, "remove a link of the copy of");
    return unlinkat(c->to_top, c->links_name, AT_REMOVEDIR) < 0
               ? fail(c, e, errno, "remove a directory for the copy of")
               : 0;
}

/* --- directories --- */

static int copy_below(struct copy *c, int from, int to, unsigned depth, struct error *e);

static int copy_directory(struct copy *c, int from, int to, const char *name, const struct stat *st,
                          unsigned depth, struct error *e)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (depth == DEPTH_MAX)
        return error_fail(e, ELOOP, "cannot copy '%.128s': its directories are nested deeper than %d levels",
                          c->volume, DEPTH_MAX);
    if (mkdirat(to, name, 0700) < 0)
        return fail(c, e, errno, "make the copy of");
    int in = openat(from, name, flags);
    if (in < 0)
        return fail(c, e, errno, "read");
    _cleanup_close_ int out = openat(to, name, flags);
    if (out < 0) {
        close_fd(in);
        return fail(c, e, errno, "open the copy of");
    }
    int r = copy_below(c, in, out, depth + 1, e);
    return r < 0 ? r : copy_metadata(c, from, to, name, st, e);
}

static int copy_entry(struct copy *c, int from, int to, const char *name, unsigned depth, struct error *e)
{
    struct stat st;
    size_t before = c->path_size;
    int n = snprintf(c->path + before, sizeof c->path - before, "/%s", name);
    c->path_size = before + (size_t)n < sizeof c->path ? before + (size_t)n : sizeof c->path - 1;
    int r;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        r = fail(c, e, errno, "read");
    else if (S_ISDIR(st.st_mode))
        r = copy_directory(c, from, to, name, &st, depth, e);
    else if (st.st_nlink > 1)
        r = copy_linked(c, from, to, name, &st, e);
    else
        r = copy_leaf(c, from, to, name, &st, e);
    c->path[c->path_size = before] = '\0';
    return r;
}

/* Copies everything in the directory 'from', whose descriptor it closes. */
static int copy_below(struct copy *c, int from, int to, unsigned depth, struct error *e)
{
    _cleanup_closedir_ DIR *dir = fdopendir(from);
    if (!dir) {
        int errnum = errno;
        close_fd(from);
        return fail(c, e, errnum, "read");
    }
    for (;;) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (!d)
            return errno ? fail(c, e, errno, "read") : 0;
        if (streq(d->d_name, ".") || streq(d->d_name, ".."))
            continue;
        int r = copy_entry(c, from, to, d->d_name, depth, e);
        if (r < 0)
            return r;
    }
}

static int copy_top(struct copy *c, int from, int to, struct error *e)
{
    struct stat st;
    if (fstat(from, &st) < 0)
        return fail(c, e, errno, "read");
    int below = fcntl(from, F_DUPFD_CLOEXEC, 3);
    int r = below < 0 ? fail(c, e, errno, "read") : copy_below(c, below, to, 0, e);
    if (r >= 0)
        r = close_links(c, e);
    if (r >= 0)
        r = copy_metadata(c, from, to, ".", &st, e);
    if (r >= 0 && syncfs(to) < 0)
        r = fail(c, e, errno, "write the copy of");
    return r;
}

int copy_volume(const char *volume, const char *from, const char *to, struct error *e)
{
    struct copy *c = xcalloc(1, sizeof *c);
    _cleanup_free_ struct copy *owned = c;
    _cleanup_free_ char *buffer = c->buffer = xcalloc(2, XATTR_MAX);
    _cleanup_close_ int in = open_dir_at(AT_FDCWD, from, e);
    _cleanup_close_ int out = in < 0 ? -1 : open_dir_at(AT_FDCWD, to, e);
    if (in < 0 || out < 0)
        return in < 0 ? in : out;
    c->from_top = from;
    c->volume = volume;
    c->to_top = out;
    c->links = -1;
    return copy_top(c, in, out, e);
}
