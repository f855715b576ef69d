/* Tests the list of listeners with sockets of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "reconciler/face/listeners.h"

static int bind_one(int family, int type, bool only_v6, int *ret_port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = only_v6, fd = socket(family, type | SOCK_CLOEXEC, 0);
    socklen_t size = family == AF_INET6 ? sizeof six : sizeof four;
    void *address = family == AF_INET6 ? (void *)&six : (void *)&four;
    if (fd < 0 || (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        bind(fd, address, size) < 0 || (type == SOCK_STREAM && listen(fd, 1) < 0) ||
        getsockname(fd, address, &size) < 0) {
        close_fd(fd);
        return -1;
    }
    *ret_port = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
    return fd;
}

/* Whether the kernel has no socket diagnostics. */
static bool without_diagnostics;

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
    if (domain != AF_NETLINK || !without_diagnostics)
        return __real_socket(domain, type, protocol);
    errno = EPROTONOSUPPORT;
    return -1;
}

struct wanted {
    int port;
    bool udp;
    char text[HOST_PORT_TEXT_SIZE];
    bool dual;
};

static void on_listener(const struct host_port *port, void *userdata)
{
    struct wanted *w = userdata;
    if (port->port != w->port || port->udp != w->udp)
        return;
    host_port_text(port, w->text);
    w->dual = port->dual;
}

static void list_all(void)
{
    static const struct {
        int family, type;
        bool only_v6;
        const char *address;
        bool dual;
    } cases[] = {
        {AF_INET, SOCK_STREAM, false, "127.0.0.1", false}, {AF_INET, SOCK_DGRAM, false, "127.0.0.1", false},
        {AF_INET6, SOCK_STREAM, true, "[::]", false},      {AF_INET6, SOCK_STREAM, false, "[::]", true},
        {AF_INET6, SOCK_DGRAM, true, "[::]", false},       {AF_INET6, SOCK_DGRAM, false, "[::]", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct wanted w = {.udp = cases[i].type == SOCK_DGRAM};
        _cleanup_close_ int fd = bind_one(cases[i].family, cases[i].type, cases[i].only_v6, &w.port);
        if (fd < 0 && cases[i].family == AF_INET6) {
            printf("skip listeners_are_listed_with_their_addresses: this machine has no IPv6\n");
            skip();
        }
        char expected[64];
        snprintf(expected, sizeof expected, "%s:%d%s", cases[i].address, w.port, w.udp ? "/udp" : "");
        listeners_list(on_listener, &w);
        assert_string_equal(w.text, expected);
        /* /proc/net does not show IPV6_V6ONLY. */
        assert_int_equal(w.dual, cases[i].dual || (without_diagnostics && cases[i].only_v6));
    }
    /* A UDP socket with a peer serves nobody else. */
    struct wanted w = {.udp = true};
    _cleanup_close_ int fd = bind_one(AF_INET, SOCK_DGRAM, false, &w.port);
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof peer), 0);
    listeners_list(on_listener, &w);
    assert_string_equal(w.text, "");
}

static void listeners_are_listed_with_their_addresses(void **state)
{
    (void)state;
    list_all();
}

static void proc_replaces_socket_diagnostics(void **state)
{
    (void)state;
    without_diagnostics = true;
    list_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(listeners_are_listed_with_their_addresses),
                                       cmocka_unit_test(proc_replaces_socket_diagnostics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
