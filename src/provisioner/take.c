/* Implements take.h. */
#include "provisioner/take.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/package/entry.h"

/* Limit of the memory for names of directories that are still to be taken, bytes. The other user chooses
 * their number and length. */
#define PENDING_MAX ((size_t)64 * 1024 * 1024)

#ifndef SYS_file_getattr
#define SYS_file_getattr 468 /* Linux 6.17; the same number on x86_64 and aarch64 */
#endif

struct project {
    bool known; /* the filesystem has projects */
    uint32_t id;
    bool inherited;
};

struct walk {
    const struct take_options *options;
    int root; /* the top of the tree */
    uid_t uid;
    gid_t gid;
    struct project project; /* the project that every entry must have */
    uint64_t entries;
    char **pending; /* paths, relative to the top, of directories that are not taken yet; a stack */
    size_t n_pending, room, pending_size;
    const char *directory; /* the directory whose entries are read, for messages; "" is the top */
    struct error *e;
};

static char *place_of(const struct walk *w, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s%s%s", w->directory, *w->directory && *name ? "/" : "", name);
    return entry_printable(*path ? path : ".");
}

static int refuse(const struct walk *w, const char *name, int errnum, const char *why)
{
    _cleanup_free_ char *place = place_of(w, name);
    return error_refuse(w->e, errnum, "entry '%s' %s", place, why);
}

static int failed(const struct walk *w, const char *name, int errnum)
{
    if (errnum == EXDEV)
        return refuse(w, name, errnum, "is a mount point");
    if (errnum == ENAMETOOLONG)
        return refuse(w, name, errnum, "has a path that is too long");
    _cleanup_free_ char *place = place_of(w, name);
    return error_os(w->e, errnum, "entry '%s' cannot be taken", place);
}

static int read_project(int fd, struct project *ret)
{
    struct fsxattr x;
    if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
        return -errno;
    *ret = (struct project){true, x.fsx_projid, x.fsx_xflags & FS_XFLAG_PROJINHERIT};
    return 0;
}

/* Reads the project that new entries of 'like' get: its own if it has the inheritance flag, 0 otherwise. */
static int expected_project(int like, struct project *ret, struct error *e)
{
    int r = read_project(like, ret);
    if (r == -ENOTTY || r == -EOPNOTSUPP || r == -EINVAL)
        *ret = (struct project){.known = false};
    else if (r < 0)
        return error_os(e, -r, "cannot read the disk project of the packages' directory");
    if (!ret->inherited)
        ret->id = 0;
    return 0;
}

static int project_is(const struct walk *w, const char *name, uint32_t id, bool inherited, bool directory)
{
    if (id == w->project.id && (!directory || inherited == w->project.inherited))
        return 0;
    _cleanup_free_ char *place = place_of(w, name);
    return error_refuse(w->e, EPERM, "entry '%s' is charged to disk project %u%s instead of %u", place, id,
                        inherited ? ", as what is made in it," : "", w->project.id);
}

/* Checks the project, because any owner of a file can charge it to any project. */
static int check_project(const struct walk *w, int fd, const char *name, bool directory)
{
    struct project project = {0};
    if (!w->project.known)
        return 0;
    int r = read_project(fd, &project);
    return r < 0 ? failed(w, name, -r) : project_is(w, name, project.id, project.inherited, directory);
}

/* Checks the project of a symbolic link. Only kernels since 6.17 can set and read it; an older one reports
 * nothing. */
static int check_link_project(const struct walk *w, int dir, const char *name)
{
    struct {
        uint64_t xflags;
        uint32_t extsize, nextents, project, cowextsize;
    } attributes = {0};
    if (!w->project.known ||
        syscall(SYS_file_getattr, dir, name, &attributes, sizeof attributes, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return project_is(w, name, attributes.project, false, false);
}

/* Removes all extended attributes but security.* and trusted.*. Access lists let other users write
 * whatever the mode is, and packages contain no attributes. The system's labels stay. */
static int drop_attributes(const struct walk *w, int fd, const char *name)
{
    ssize_t size = flistxattr(fd, NULL, 0);
    if (size == 0 || (size < 0 && errno == EOPNOTSUPP))
        return 0;
    _cleanup_free_ char *names = size > 0 ? xcalloc((size_t)size + 1, 1) : NULL;
    if (size < 0 || (size = flistxattr(fd, names, (size_t)size)) < 0)
        return failed(w, name, errno);
    for (const char *at = names; at < names + size; at += strlen(at) + 1)
        if (!after_prefix(at, "security.") && !after_prefix(at, "trusted.") && fremovexattr(fd, at) < 0 &&
            errno != ENODATA)
            return failed(w, name, errno);
    return 0;
}

/* Checks the owner and the number of links of an entry that was just opened. */
static int check_owner(const struct walk *w, const struct stat *st, const char *name)
{
    if (st->st_uid != w->options->from && st->st_uid != w->uid)
        return refuse(w, name, EPERM, "belongs to another user");
    if (!S_ISDIR(st->st_mode) && st->st_nlink != 1)
        return refuse(w, name, EMLINK, "has a second link, which packages cannot have");
    return 0;
}

/* Clears set-id bits and other users' write bits; 'add' bits are set. Called after the change of the
 * owner, when no other user can change the mode again. */
static int take_mode(const struct walk *w, int fd, const char *name, mode_t add)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return failed(w, name, errno);
    mode_t mode = (st.st_mode & 0755) | add;
    if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
        return failed(w, name, errno);
    return 0;
}

static int no_leases(const char *what, struct error *e)
{
    return error_set(e, ERROR_NOT_SUPPORTED, EINVAL,
                     "cannot determine whether %s is open for writing: the filesystem gives no "
                     "leases, or the sysctl fs.leases-enable is 0 (set it to 1)",
                     what);
}

int take_possible(int dir, const char *probe, struct error *e)
{
    _cleanup_close_ int fd = open_beneath(dir, probe, O_RDONLY | O_CREAT | O_EXCL, 0600, e);
    if (fd < 0)
        return fd;
    int r = 0;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        r = errno == EINVAL ? no_leases("what is in it", e) : error_os(e, errno, "no lease can be taken");
    (void)unlinkat(dir, probe, 0);
    return r;
}

/* Checks that the file is not open for writing. A change of the owner revokes no descriptor and no
 * mapping. The kernel grants a read lease only on a file that no process has open for writing. From here
 * on owner, mode and access list, which are root's by now, keep other users from opening it so. */
static int check_unwritten(const struct walk *w, int fd, const char *name)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
        if (errno == EAGAIN)
            return refuse(w, name, ETXTBSY, "is open for writing");
        int why = errno;
        _cleanup_free_ char *place = place_of(w, name), *what = xasprintf("entry '%s'", place);
        return why == EINVAL ? no_leases(what, w->e)
                             : error_os(w->e, why, "cannot determine whether %s is open for writing", what);
    }
    return fcntl(fd, F_SETLEASE, F_UNLCK) < 0 ? failed(w, name, errno) : 0;
}

/* Checks the owner and the number of links again: until now the file's owner, and each user who could
 * write to it, could make a second link to it by a descriptor. */
static int check_links(const struct walk *w, int fd, const char *name)
{
    struct stat st;
    return fstat(fd, &st) < 0 ? failed(w, name, errno) : check_owner(w, &st, name);
}

static int take_file(struct walk *w, int dir, const char *name)
{
    struct stat st;
    /* The entry is not a fifo and not a device: no other user can replace it since its directory is taken. */
    _cleanup_close_ int fd = open_beneath(dir, name, O_RDONLY, 0, NULL);
    if (fd == -EWOULDBLOCK)
        return refuse(w, name, ETXTBSY, "is held by a lease");
    if (fd < 0 || fstat(fd, &st) < 0)
        return failed(w, name, fd < 0 ? -fd : errno);
    int r = check_owner(w, &st, name);
    if (r >= 0 && fchown(fd, w->uid, w->gid) < 0)
        r = failed(w, name, errno);
    if (r >= 0)
        r = take_mode(w, fd, name, 0);
    if (r >= 0)
        r = drop_attributes(w, fd, name);
    /* Until mode and access list deny it, a descriptor that only reads can be opened again for writing by
     * /proc. So these two checks come last. */
    if (r >= 0)
        r = check_unwritten(w, fd, name);
    if (r >= 0)
        r = check_links(w, fd, name);
    return r < 0 ? r : check_project(w, fd, name, false);
}

static int take_link(struct walk *w, int dir, const char *name, const struct stat *st)
{
    int r = check_owner(w, st, name);
    if (r >= 0 && fchownat(dir, name, w->uid, w->gid, AT_SYMLINK_NOFOLLOW) < 0)
        r = failed(w, name, errno);
    return r < 0 ? r : check_link_project(w, dir, name);
}

static int add_pending(struct walk *w, const char *name)
{
    char *path = xasprintf("%s%s%s", w->directory, *w->directory ? "/" : "", name);
    w->pending_size += strlen(path) + 1 + sizeof path;
    if (w->n_pending == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        w->pending = xrealloc(w->pending, w->room, sizeof *w->pending);
    }
    w->pending[w->n_pending++] = path;
    return w->pending_size > PENDING_MAX
               ? refuse(w, name, EFBIG, "is one too many: the names of directories take too much memory")
               : 0;
}

static int take_entry(struct walk *w, int dir, const char *name, unsigned char type)
{
    struct stat st;
    if (++w->entries > w->options->entries_max)
        return refuse(w, name, EFBIG, "is one too many: so many entries are not allowed");
    if (type == DT_REG)
        return take_file(w, dir, name);
    if (type == DT_DIR)
        return add_pending(w, name);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(w, name, errno);
    if (S_ISREG(st.st_mode))
        return take_file(w, dir, name);
    if (S_ISDIR(st.st_mode))
        return add_pending(w, name);
    return S_ISLNK(st.st_mode)
               ? take_link(w, dir, name, &st)
               : refuse(w, name, EINVAL, "is neither a file, a directory nor a symbolic link");
}

static int take_entries(struct walk *w, DIR *dir)
{
    struct dirent *d;
    for (;;) {
        errno = 0;
        if (!(d = readdir(dir)))
            return errno ? failed(w, "", errno) : 0;
        if (streq(d->d_name, ".") || streq(d->d_name, ".."))
            continue;
        int r = take_entry(w, dirfd(dir), d->d_name, d->d_type);
        if (r < 0)
            return r;
    }
}

/* Takes the directory 'fd', whose parents are taken: first the directory, then its entries. Takes
 * ownership of 'fd', also on failure. 'add' are bits of the mode: the top lets every user in, as the
 * unpacker makes it. */
static int take_directory(struct walk *w, int fd, mode_t add)
{
    struct stat st;
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return failed(w, "", ENOMEM);
    }
    int r = fstat(fd, &st) < 0 ? failed(w, "", errno) : check_owner(w, &st, "");
    if (r >= 0 && fchown(fd, w->uid, w->gid) < 0)
        r = failed(w, "", errno);
    if (r >= 0)
        r = take_mode(w, fd, "", add);
    if (r >= 0)
        r = drop_attributes(w, fd, "");
    if (r >= 0)
        r = check_project(w, fd, "", true);
    if (r >= 0)
        r = failpoint_error("publish.directory", w->e);
    return r < 0 ? r : take_entries(w, dir);
}

static int take_pending(struct walk *w)
{
    int r = 0;
    while (r >= 0 && w->n_pending > 0) {
        _cleanup_free_ char *path = w->pending[--w->n_pending];
        w->pending_size -= strlen(path) + 1 + sizeof path;
        w->directory = path;
        /* The path can be followed: every directory above the last one is taken. */
        int fd = open_beneath(w->root, path, O_RDONLY | O_DIRECTORY, 0, NULL);
        r = fd < 0 ? failed(w, "", -fd) : take_directory(w, fd, 0700);
        w->directory = "";
    }
    return r;
}

static int take_top(struct walk *w)
{
    int copy = openat(w->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0)
        return failed(w, "", errno);
    int r = take_directory(w, copy, 0755);
    return r < 0 ? r : take_pending(w);
}

int take_tree(int parent, const char *name, const struct take_options *options, struct error *e)
{
    struct walk w = {.options = options, .uid = geteuid(), .gid = getegid(), .directory = "", .e = e};
    int r = expected_project(options->like, &w.project, e);
    if (r < 0)
        return r;
    _cleanup_close_ int root = open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0, NULL);
    if (root == -ENOTDIR || root == -ELOOP)
        return error_refuse(e, ENOTDIR, "the unpacked package is not a directory");
    if (root < 0)
        return failed(&w, "", -root);
    w.root = root;
    r = take_top(&w);
    while (w.n_pending > 0)
        free(w.pending[--w.n_pending]);
    free(w.pending);
    return r;
}
