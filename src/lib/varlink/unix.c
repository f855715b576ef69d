/* Implements unix.h. For a path that is longer than sun_path (107 bytes), it opens the directory and reaches
 * the name through /proc/self/fd. */
#include "lib/varlink/unix.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

/* Fills the address of a socket. *ret_dir must stay open while the address is used. */
static int make_address(const char *path, struct sockaddr_un *address, int *ret_dir, struct error *e)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof address->sun_path) {
        memcpy(address->sun_path, path, strlen(path) + 1);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *dir = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    _cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_os(e, errno, "cannot open directory '%s'", dir);
    int n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", fd,
                     slash ? slash + 1 : path);
    if (n < 0 || (size_t)n >= sizeof address->sun_path)
        return error_refuse(e, ENAMETOOLONG, "the name of the socket '%s' is too long", path);
    *ret_dir = TAKE_FD(fd);
    return 0;
}

int unix_connect(const char *path, struct error *e)
{
    struct sockaddr_un address;
    _cleanup_close_ int dir = -1, fd = -1;
    int r = make_address(path, &address, &dir, e);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_os(e, errno, "cannot make a socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            return error_set(e, ERROR_SERVICE_DOWN, errno, "nothing listens on '%s': is the tree running?",
                             path);
        if (errno == EACCES)
            return error_refuse(
                e, EACCES,
                "this user may not open '%s': only root and the users in 'peers' of its service.conf may",
                path);
        return error_os(e, errno, "cannot connect to '%s'", path);
    }
    return TAKE_FD(fd);
}

int unix_listen(const char *path, mode_t mode, gid_t gid, struct error *e)
{
    struct sockaddr_un address;
    _cleanup_close_ int dir = -1, fd = -1;
    int r = make_address(path, &address, &dir, e);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_os(e, errno, "cannot make a socket");
    if (unlink(path) < 0 && errno != ENOENT)
        return error_os(e, errno, "cannot remove the old socket '%s'", path);
    /* fchmod() before bind() gives the file its mode when it is created. */
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_os(e, errno, "cannot bind '%s'", path);
    if (gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) < 0)
        return error_os(e, errno, "cannot change the group of '%s'", path);
    if (chmod(path, mode) < 0)
        return error_os(e, errno, "cannot change the mode of '%s'", path);
    if (listen(fd, 1024) < 0)
        return error_os(e, errno, "cannot listen on '%s'", path);
    return TAKE_FD(fd);
}

static int admit_group(const char *path, gid_t group, bool anybody, struct error *e)
{
    if (anybody && group != (gid_t)-1 && lchown(path, (uid_t)-1, group) < 0)
        return error_os(e, errno, "cannot change the group of '%s'", path);
    if (chmod(path, anybody ? 0660 : 0600) < 0)
        return error_os(e, errno, "cannot change the mode of '%s'", path);
    return 0;
}

static void put_entry(struct posix_acl_xattr_entry *entry, unsigned tag, unsigned permissions, uid_t id)
{
    *entry =
        (struct posix_acl_xattr_entry){htole16((uint16_t)tag), htole16((uint16_t)permissions), htole32(id)};
}

int unix_admit(const char *path, const uid_t *users, size_t n_users, gid_t group, bool *ret_by_group,
               struct error *e)
{
    const unsigned may_connect = ACL_READ | ACL_WRITE;
    size_t size =
               sizeof(struct posix_acl_xattr_header) + (n_users + 4) * sizeof(struct posix_acl_xattr_entry),
           n = 0;
    _cleanup_free_ struct posix_acl_xattr_header *list = xcalloc(1, size);
    struct posix_acl_xattr_entry *entries = (struct posix_acl_xattr_entry *)(list + 1);
    list->a_version = htole32(POSIX_ACL_XATTR_VERSION);
    put_entry(&entries[n++], ACL_USER_OBJ, may_connect, (uid_t)ACL_UNDEFINED_ID);
    for (size_t i = 0; i < n_users; i++)
        put_entry(&entries[n++], ACL_USER, may_connect, users[i]);
    put_entry(&entries[n++], ACL_GROUP_OBJ, 0, (uid_t)ACL_UNDEFINED_ID);
    if (n_users > 0) /* limits the rights of the users above */
        put_entry(&entries[n++], ACL_MASK, may_connect, (uid_t)ACL_UNDEFINED_ID);
    put_entry(&entries[n++], ACL_OTHER, 0, (uid_t)ACL_UNDEFINED_ID);
    size = sizeof *list + n * sizeof *entries;
    *ret_by_group = false;
    if (lsetxattr(path, "system.posix_acl_access", list, size, 0) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return error_os(e, errno, "cannot set the access list of '%s'", path);
    *ret_by_group = n_users > 0;
    return admit_group(path, group, n_users > 0, e);
}
