/* Implements listen.h. */
#include "lib/topology/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/basic/cleanup.h"
#include "lib/topology/topology.h"

#define BACKLOG 1024

struct endpoint {
    const char *listen; /* borrowed from the configuration */
    uint16_t port;
};

static struct endpoint find_endpoint(const struct service_conf *conf, const struct config *config, size_t n)
{
    const struct config_key *key = config_find_key(conf->tcp[n]);
    return (struct endpoint){config_string(config, key->section, "listen"),
                             (uint16_t)config_number(config, key->section, key->name)};
}

char *service_conf_tcp_address(const struct service_conf *conf, const struct config *config, size_t n)
{
    struct endpoint at = find_endpoint(conf, config, n);
    bool six = strchr(at.listen, ':');
    return xasprintf("%s%s%s:%u", six ? "[" : "", at.listen, six ? "]" : "", at.port);
}

const char *service_conf_tcp_name(const struct service_conf *conf, size_t n)
{
    return config_find_key(conf->tcp[n])->name;
}

static int make_address(const struct endpoint *at, struct sockaddr_storage *ret, socklen_t *ret_size)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    *ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (inet_pton(AF_INET, at->listen, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(at->port);
        *ret_size = sizeof *four;
        return 0;
    }
    if (inet_pton(AF_INET6, at->listen, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(at->port);
        *ret_size = sizeof *six;
        return 0;
    }
    return -EINVAL;
}

/* Reports whether no stream can ever be accepted at the address: it is that of a group, or belongs to a link
 * that is not named. */
static bool can_never_listen(const struct sockaddr_storage *address)
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    uint32_t four = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
    if (address->ss_family == AF_INET6)
        return IN6_IS_ADDR_MULTICAST(six) || IN6_IS_ADDR_LINKLOCAL(six);
    return IN_MULTICAST(four) || four == INADDR_BROADCAST;
}

static int refuse_address(const struct service_conf *conf, size_t n, const char *listen, struct error *e)
{
    return error_refuse(e, EINVAL, "[%s] listen = %s: is not an IP address",
                        config_find_key(conf->tcp[n])->section, listen);
}

int service_conf_tcp_check(const struct service_conf *conf, const struct config *config, struct error *e)
{
    size_t n = service_conf_tcp_ports(conf, config);
    for (size_t i = 0; i < n; i++) {
        struct endpoint at = find_endpoint(conf, config, i);
        struct sockaddr_storage address;
        socklen_t size;
        if (make_address(&at, &address, &size) < 0)
            return refuse_address(conf, i, at.listen, e);
        if (can_never_listen(&address))
            return error_refuse(e, EINVAL, "[%s] listen = %s: nothing can listen on this address",
                                config_find_key(conf->tcp[i])->section, at.listen);
        for (size_t k = 0; k < i; k++) {
            struct endpoint other = find_endpoint(conf, config, k);
            if (other.port == at.port && streq(other.listen, at.listen))
                return error_refuse(e, EINVAL, "%s and %s are the same port %u", conf->tcp[k], conf->tcp[i],
                                    at.port);
        }
    }
    return 0;
}

int service_conf_tcp_listen(const struct service_conf *conf, const struct config *config, size_t n,
                            struct error *e)
{
    struct endpoint at = find_endpoint(conf, config, n);
    struct sockaddr_storage address;
    socklen_t size;
    const int on = 1;
    if (make_address(&at, &address, &size) < 0)
        return refuse_address(conf, n, at.listen, e);
    _cleanup_free_ char *text = service_conf_tcp_address(conf, config, n);
    _cleanup_close_ int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_os(e, errno, "cannot make a socket for '%s'", text);
    /* Connections that the previous process left behind must not prevent the bind. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0)
        return error_os(e, errno, "cannot listen on '%s' (%s)", text, conf->tcp[n]);
    return TAKE_FD(fd);
}
