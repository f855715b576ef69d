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

#define ACCESS_LIST "system.posix_acl_access"

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

int unix_listen(const char *path, mode_t mode, gid_t gid, struct unix_file *ret_file, struct error *e)
{
    struct sockaddr_un address;
    struct stat st;
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
    if (lstat(path, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", path);
    if (ret_file)
        *ret_file = (struct unix_file){st.st_dev, st.st_ino};
    return TAKE_FD(fd);
}

bool unix_is_at(const struct unix_file *file, const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_dev == file->device &&
           st.st_ino == file->inode;
}

int unix_set_rights(const char *path, gid_t group, mode_t mode, struct error *e)
{
    struct stat st;
    int changed = 0;
    if (lstat(path, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", path);
    if (st.st_uid != geteuid() || (group != (gid_t)-1 && st.st_gid != group)) {
        if (lchown(path, geteuid(), group) < 0)
            return error_os(e, errno, "cannot change the owner of '%s'", path);
        changed = 1;
    }
    if (mode != (mode_t)-1 && (st.st_mode & 07777) != mode) {
        if (chmod(path, mode) < 0)
            return error_os(e, errno, "cannot change the mode of '%s'", path);
        changed = 1;
    }
    return changed;
}

/* Sets an access list where it differs; a 'plain' one is no more than a mode, and the kernel stores none.
 * Returns 0, 1 when it changed the list, or a negative errno. */
static int set_list(const char *path, const void *list, size_t size, bool plain)
{
    _cleanup_free_ char *now = xcalloc(1, size);
    ssize_t n = lgetxattr(path, ACCESS_LIST, now, size);
    if (n < 0 ? plain && errno == ENODATA : (size_t)n == size && memcmp(now, list, size) == 0)
        return 0;
    return lsetxattr(path, ACCESS_LIST, list, size, 0) < 0 ? -errno : 1;
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
    int listed = set_list(path, list, size, n_users == 0);
    bool has_lists = listed != -EOPNOTSUPP && listed != -ENOSYS;
    if (listed < 0 && has_lists)
        return error_os(e, -listed, "cannot set the access list of '%s'", path);
    *ret_by_group = !has_lists && n_users > 0;
    mode_t mode = has_lists && n_users > 0 ? (mode_t)-1 : *ret_by_group ? 0660 : 0600;
    int set = unix_set_rights(path, *ret_by_group ? group : (gid_t)-1, mode, e);
    return set < 0 ? set : set > 0 || listed > 0;
}

int unix_send_fd(int through, int fd, char which)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {&which, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(through, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int unix_receive_fd(int through, char *ret_which)
{
    char byte;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = 0}};
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(through, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return n == 0 ? -EPIPE : errno == EINTR ? -EAGAIN : -errno;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int fd;
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof fd))
        return -EBADMSG;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    *ret_which = byte;
    return fd;
}
