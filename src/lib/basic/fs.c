/* Implements fs.h, except for remove_tree_at(). */
#include "lib/basic/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

int fill_standard_descriptors(void)
{
    for (int wanted = STDIN_FILENO; wanted <= STDERR_FILENO; wanted++) {
        int ends[2];
        if (fcntl(wanted, F_GETFD) >= 0)
            continue;
        /* All numbers below 'wanted' are in use, so open() returns 'wanted'. */
        int fd = open("/dev/null", O_RDWR | O_NOCTTY);
        if (fd < 0 && pipe(ends) == 0) {
            /* The image has no /dev. A read from this descriptor returns end of file, a write fails. */
            close(ends[1]);
            fd = ends[0];
        }
        if (fd != wanted)
            return fd < 0 ? -errno : -EBADF;
    }
    return 0;
}

bool readable_by_all(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && (st.st_mode & S_IROTH);
}

void allow_many_descriptors(void)
{
    struct rlimit limit;
    const rlim_t wanted = 8192;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int read_open_file(int fd, const char *path, size_t max, char **ret, size_t *ret_size, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return error_refuse(e, EINVAL, "'%s' is not a regular file", path);
    /* Files of /proc have size 0: the limit decides, not the size. */
    size_t room = st.st_size > 0 && (uint64_t)st.st_size <= max ? (size_t)st.st_size + 1 : 4096, n = 0;
    _cleanup_free_ char *data = xcalloc(room + 1, 1);
    for (;;) {
        if (n == room) {
            room *= 2;
            data = xrealloc(data, room + 1, 1);
        }
        ssize_t got = read(fd, data + n, room - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_os(e, errno, "cannot read '%s'", path);
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max)
            return error_refuse(e, EFBIG, "'%s' is larger than %zu bytes", path, max);
    }
    data[n] = '\0';
    *ret = TAKE_PTR(data);
    if (ret_size)
        *ret_size = n;
    return 0;
}

int read_file_at(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size, struct error *e)
{
    _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_os(e, errno, "cannot open '%s'", path);
    return read_open_file(fd, path, max, ret, ret_size, e);
}

int read_file_beneath(int dirfd, const char *path, size_t max, char **ret, size_t *ret_size, struct error *e)
{
    struct stat st;
    _cleanup_close_ int place = open_beneath(dirfd, path, O_PATH, 0, e);
    if (place < 0)
        return place;
    if (fstat(place, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return error_refuse(e, EINVAL, "'%s' is not a regular file", path);
    _cleanup_free_ char *link = xasprintf("/proc/self/fd/%d", place);
    _cleanup_close_ int fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return error_os(e, errno, "cannot open '%s'", path);
    return read_open_file(fd, path, max, ret, ret_size, e);
}

static int fill_and_rename(int dirfd, int fd, const char *temporary, const char *name, const void *data,
                           size_t size, mode_t mode, uid_t uid, gid_t gid, struct error *e)
{
    int r = write_all(fd, data, size);
    if (r < 0)
        return error_os(e, -r, "cannot write '%s'", name);
    if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
        return error_os(e, errno, "cannot change the owner of '%s'", name);
    if (fchmod(fd, mode) < 0)
        return error_os(e, errno, "cannot change the mode of '%s'", name);
    if (fsync(fd) < 0)
        return error_os(e, errno, "cannot sync '%s'", name);
    if (renameat(dirfd, temporary, dirfd, name) < 0)
        return error_os(e, errno, "cannot rename to '%s'", name);
    if (fsync(dirfd) < 0)
        return error_os(e, errno, "cannot sync the directory of '%s'", name);
    return 0;
}

int replace_file_at(int dirfd, const char *name, const void *data, size_t size, mode_t mode, uid_t uid,
                    gid_t gid, struct error *e)
{
    char suffix[13];
    random_hex(suffix, 6);
    _cleanup_free_ char *temporary = xasprintf(".%s.%s.tmp", name, suffix);
    _cleanup_close_ int fd =
        openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0600);
    if (fd < 0)
        return error_os(e, errno, "cannot create a temporary file for '%s'", name);
    int r = fill_and_rename(dirfd, fd, temporary, name, data, size, mode, uid, gid, e);
    if (r < 0)
        unlinkat(dirfd, temporary, 0);
    return r;
}

int replace_file(const char *path, const void *data, size_t size, mode_t mode, struct error *e)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *dir = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    _cleanup_close_ int dirfd = open_dir_at(AT_FDCWD, dir, e);
    if (dirfd < 0)
        return dirfd;
    int r = replace_file_at(dirfd, slash ? slash + 1 : path, data, size, mode, (uid_t)-1, (gid_t)-1, e);
    return r < 0 ? error_prefix(e, "%s", dir) : 0;
}

int file_fits(const char *path, size_t size, size_t max, struct error *e)
{
    return size <= max
               ? 0
               : error_refuse(e, EFBIG,
                              "'%s' would have %zu bytes, and at most %zu are read again: not written", path,
                              size, max);
}

int replace_file_within(const char *path, size_t max, const void *data, size_t size, mode_t mode,
                        struct error *e)
{
    int r = file_fits(path, size, max, e);
    return r < 0 ? r : replace_file(path, data, size, mode, e);
}

int keep_aside(const char *path, struct error *e)
{
    _cleanup_free_ char *aside = xasprintf("%s.unreadable", path);
    if (unlink(aside) < 0 && errno != ENOENT) {
        /* A directory may have been kept under this name, with any content: it is renamed and not deleted. */
        char suffix[9];
        random_hex(suffix, 4);
        _cleanup_free_ char *older = xasprintf("%s.%s", aside, suffix);
        if (rename(aside, older) < 0)
            return error_os(e, errno, "cannot remove '%s'", aside);
    }
    /* The kernel can forbid a hard link to another user's file: then the file is renamed. */
    if (link(path, aside) < 0 && (errno == ENOENT || rename(path, aside) < 0))
        return error_os(e, errno, "cannot keep '%s' aside", path);
    return 0;
}

int open_dir_at(int dirfd, const char *path, struct error *e)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_os(e, errno, "cannot open directory '%s'", path) : fd;
}

int open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct error *e)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
    };
    if (!(flags & O_PATH))
        how.flags |= O_NONBLOCK | O_NOCTTY; /* openat2 refuses O_PATH with either flag */
    int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    return fd < 0 ? error_os(e, errno, "cannot open '%s'", path) : fd;
}

int make_dirs(const char *path, mode_t mode, struct error *e)
{
    _cleanup_free_ char *copy = xstrdup(path);
    for (char *c = copy + 1;; c++) {
        if (*c && *c != '/')
            continue;
        char kept = *c;
        *c = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return error_os(e, errno, "cannot make directory '%s'", copy);
        *c = kept;
        if (!kept)
            return 0;
    }
}

/* Makes 'name' in 'parent' if it is missing and opens it; messages name it 'path'. */
static int enter(int parent, const char *name, const char *path, mode_t mode, bool *ret_made, struct error *e)
{
    *ret_made = mkdirat(parent, name, mode) == 0;
    if (!*ret_made && errno != EEXIST)
        return error_os(e, errno, "cannot make directory '%s'", path);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return error_refuse(
            e, ENOTDIR, "'%s' is not a directory (a symbolic link is not followed here): remove it", path);
    return fd < 0 ? error_os(e, errno, "cannot open directory '%s'", path) : fd;
}

int make_dir_below(const char *base, const char *below, mode_t mode, bool *ret_made, struct error *e)
{
    int r = make_dirs(base, 0755, e);
    if (r < 0)
        return r;
    _cleanup_close_ int at = open_dir_at(AT_FDCWD, base, e);
    _cleanup_free_ char *copy = xstrdup(below), *path = xstrdup(base);
    bool made = false;
    char *rest = copy;
    for (char *name; at >= 0 && (name = strsep(&rest, "/"));) {
        _cleanup_free_ char *above = path;
        _cleanup_close_ int parent = at;
        path = xasprintf("%s/%s", above, name);
        at = enter(parent, name, path, rest ? 0755 : mode, &made, e);
    }
    if (at < 0)
        return at;
    if (ret_made)
        *ret_made = made;
    return TAKE_FD(at);
}

int give_dir_below(const char *base, const char *below, uid_t uid, gid_t gid, mode_t mode, struct error *e)
{
    _cleanup_close_ int fd = make_dir_below(base, below, 0700, NULL, e);
    struct stat st;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot look at '%s/%s'", base, below);
    if (((uid != (uid_t)-1 && st.st_uid != uid) || (gid != (gid_t)-1 && st.st_gid != gid)) &&
        fchown(fd, uid, gid) < 0)
        return error_os(e, errno, "cannot give '%s/%s' to its user", base, below);
    /* The mode is set after the owner: a change of owner clears the set-group-id bit. */
    if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
        return error_os(e, errno, "cannot change the mode of '%s/%s'", base, below);
    return 0;
}
