/* The listening TCP sockets; see ports.h. */
#include "rpc-gateway/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "lib/basic/cleanup.h"

int port_open(const char *address, uint16_t port, int *ret, struct error *e)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return error_refuse(e, EINVAL, "'%s' is no IPv4 address to listen on", address);
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
        return error_os(e, errno, "cannot listen on %s:%u", address, port);
    *ret = TAKE_FD(fd);
    return 0;
}

int64_t port_number(int fd)
{
    struct sockaddr_in at = {0};
    socklen_t size = sizeof at;
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        return 0;
    return ntohs(at.sin_port);
}
