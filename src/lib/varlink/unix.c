/* Unix sockets whose path may be longer than sun_path: the directory is opened, and the name reached through
 * /proc/self/fd. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/varlink/client.h"

/* Fills the address; *ret_dir must stay open while it is used. */
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
    /* fchmod before bind gives the file its mode from its first instant. */
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
