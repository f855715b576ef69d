/* Implements tenant.h. */
#include "provisioner/tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"

/* Attempts after which a directory that the tenant keeps swapping fails the request with RETRY. */
#define ATTEMPTS 20

static char *temporary_name(const char *name)
{
    /* The name does not vary, so that what a killed process left is found and replaced. */
    return xasprintf("%s%s.new", name[0] == '.' ? "" : ".", name);
}

/* Moves a directory out of the tenant's reach to a hidden name in the app path. It gets a parent that only
 * root can enter, so that its setuid files stay out of reach for the host's users. */
static int move_out(struct tenant *t, int parent, const char *name)
{
    _cleanup_free_ char *hidden = app_path_deleting_name(t->container),
                        *moved = xasprintf("%s/moved", hidden);
    if (mkdirat(t->apps, hidden, 0700) < 0)
        return -errno;
    int r = renameat(parent, name, t->apps, moved) < 0 ? -errno : 0;
    if (r < 0)
        (void)unlinkat(t->apps, hidden, AT_REMOVEDIR);
    else
        t->hidden = true;
    return r;
}

int tenant_clear(struct tenant *t, int parent, const char *name, struct error *e)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT || unlinkat(parent, name, AT_REMOVEDIR) == 0 ||
        move_out(t, parent, name) == 0)
        return 0;
    return remove_tree_at(parent, name, e); /* after a full disk, for example; else for its error message */
}

static int give(int fd, const struct tenant_mode *mode, const char *name, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", name);
    if ((st.st_uid != mode->uid || st.st_gid != mode->gid) && fchown(fd, mode->uid, mode->gid) < 0)
        return error_os(e, errno, "cannot change the owner of '%s'", name);
    if (fstat(fd, &st) < 0 || ((st.st_mode & 07777) != mode->mode && fchmod(fd, mode->mode) < 0))
        return error_os(e, errno, "cannot change the mode of '%s'", name);
    return 0;
}

/* Makes a directory under a temporary name and renames it, so that it has its owner and mode from the
 * first moment under its final name. */
static int make_directory(struct tenant *t, int parent, const char *name, const struct tenant_mode *mode,
                          struct error *e)
{
    _cleanup_free_ char *temporary = temporary_name(name);
    int r = tenant_clear(t, parent, temporary, e);
    if (r < 0)
        return r;
    if (mkdirat(parent, temporary, 0700) < 0)
        return errno == EEXIST ? TENANT_SWAPPED : error_os(e, errno, "cannot make directory '%s'", name);
    _cleanup_close_ int fd = open_beneath(parent, temporary, O_RDONLY | O_DIRECTORY, 0, e);
    if (fd < 0)
        return TENANT_SWAPPED;
    r = give(fd, mode, name, e);
    if (r >= 0 && renameat2(parent, temporary, parent, name, RENAME_NOREPLACE) < 0)
        r = errno == EEXIST || errno == ENOENT ? TENANT_SWAPPED
                                               : error_os(e, errno, "cannot rename to '%s'", name);
    if (r < 0)
        (void)unlinkat(parent, temporary, AT_REMOVEDIR); /* a failure is repaired by the next attempt */
    return r;
}

/* Opens an existing directory and, with mode->ours, corrects its owner and mode. Returns a file
 * descriptor, −ENOENT (the error is not filled), TENANT_SWAPPED (an entry that was not a directory was
 * removed), or another negative errno. */
static int open_existing(int parent, const char *name, const struct tenant_mode *mode, struct error *e)
{
    _cleanup_close_ int fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0, e);
    if (fd == -EXDEV)
        return error_refuse(e, EXDEV, "'%s' is a mount point: hostlet does not work in there", name);
    if (fd == -ENOTDIR || fd == -ELOOP) {
        if (!mode->replace)
            return error_set(e, ERROR_CONFLICT, ENOTDIR, "'%s' is in the way: it is not a directory", name);
        if (unlinkat(parent, name, 0) < 0 && errno != ENOENT && errno != EISDIR)
            return error_os(e, errno, "cannot remove '%s', which is no directory", name);
        return TENANT_SWAPPED;
    }
    if (fd < 0)
        return fd;
    int r = mode->ours ? give(fd, mode, name, e) : 0;
    return r < 0 ? r : TAKE_FD(fd);
}

int tenant_directory(struct tenant *tenant, int parent, const char *name, const struct tenant_mode *mode,
                     bool *made, struct error *e)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        int r = open_existing(parent, name, mode, e);
        if (r == -ENOENT) {
            r = make_directory(tenant, parent, name, mode, e);
            if (r >= 0)
                *made = true;
            else if (r != TENANT_SWAPPED)
                return r;
            continue;
        }
        if (r != TENANT_SWAPPED)
            return r;
    }
    return error_retry(e, EAGAIN, "'%s' is changed by the application all the time", name);
}

/* Reports whether the file 'fd' contains exactly 'data'. */
static bool same_content(int fd, const char *data, size_t size)
{
    char buffer[16384];
    size_t done = 0;
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 && done == size;
        if ((size_t)n > size - done || memcmp(buffer, data + done, (size_t)n) != 0)
            return false;
        done += (size_t)n;
    }
}

/* Reports whether the file exists with this content, owner and mode. It checks the type before it opens
 * the file: the opening of a device or a fifo can have an effect. */
static bool is_current(int dir, const char *name, const void *data, size_t size,
                       const struct tenant_mode *mode)
{
    struct error ignored = ERROR_INIT;
    struct stat st;
    _cleanup_close_ int path = open_beneath(dir, name, O_PATH, 0, &ignored);
    if (path < 0 || fstat(path, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size != size ||
        st.st_uid != mode->uid || st.st_gid != mode->gid || (st.st_mode & 07777) != mode->mode)
        return false;
    char again[64];
    snprintf(again, sizeof again, "/proc/self/fd/%d", path);
    _cleanup_close_ int fd = open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd >= 0 && same_content(fd, data, size);
}

int tenant_file_stage(struct tenant *tenant, int dir, const char *name, const void *data, size_t size,
                      const struct tenant_mode *mode, struct tenant_file *ret, struct error *e)
{
    if (is_current(dir, name, data, size, mode)) {
        *ret = (struct tenant_file){tenant, dir, name, -1};
        return 0;
    }
    _cleanup_free_ char *temporary = temporary_name(name);
    int r = tenant_clear(tenant, dir, temporary, e);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open_beneath(dir, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600, e);
    if (fd < 0)
        return fd == -EEXIST || fd == -ELOOP ? TENANT_SWAPPED : fd;
    r = write_all(fd, data, size);
    if (r < 0)
        error_os(e, -r, "cannot write '%s'", name);
    else
        r = give(fd, mode, name, e);
    if (r < 0) {
        (void)unlinkat(dir, temporary, 0);
        return r;
    }
    *ret = (struct tenant_file){tenant, dir, name, TAKE_FD(fd)};
    return 0;
}

int tenant_file_sync(const struct tenant_file *file, struct error *e)
{
    return file->fd >= 0 && fsync(file->fd) < 0 ? error_os(e, errno, "cannot write '%s'", file->name) : 0;
}

int tenant_file_publish(struct tenant_file *file, struct error *e)
{
    if (file->fd < 0)
        return 0;
    _cleanup_free_ char *temporary = temporary_name(file->name);
    int done = renameat(file->dir, temporary, file->dir, file->name);
    if (done < 0 && (errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST)) {
        int r = tenant_clear(file->tenant, file->dir, file->name, e);
        if (r < 0)
            return r;
        done = renameat(file->dir, temporary, file->dir, file->name);
    }
    if (done < 0)
        return errno == ENOENT || errno == EISDIR || errno == ENOTDIR
                   ? TENANT_SWAPPED
                   : error_os(e, errno, "cannot rename to '%s'", file->name);
    return 0;
}

bool tenant_file_in_place(const struct tenant_file *file)
{
    struct stat a, b;
    if (file->fd < 0)
        return true;
    return fstat(file->fd, &a) == 0 && fstatat(file->dir, file->name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void tenant_file_clear(struct tenant_file *file)
{
    if (file->fd < 0)
        return;
    if (!tenant_file_in_place(file)) {
        _cleanup_free_ char *temporary = temporary_name(file->name);
        (void)unlinkat(file->dir, temporary, 0);
    }
    file->fd = close_fd(file->fd);
}

bool tenant_same(int parent, const char *path, int fd)
{
    struct error ignored = ERROR_INIT;
    struct stat a, b;
    _cleanup_close_ int found = open_beneath(parent, path, O_PATH | O_DIRECTORY, 0, &ignored);
    return found >= 0 && fstat(found, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}
