/* Implements listeners.h. */
#include "reconciler/face/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

#define BUFFER_SIZE 32768

/* States of the kernel's sockets (net/tcp_states.h, which userspace lacks). A UDP socket without a peer is
 * closed. */
enum { STATE_CLOSE = 7, STATE_LISTEN = 10 };

struct listing {
    listener_fn on_listener;
    void *userdata;
    bool udp;
};

static void report(const struct listing *l, struct host_port *port, bool only_v6)
{
    port->udp = l->udp;
    if (port->v6 && IN6_IS_ADDR_V4MAPPED(&port->address))
        port->v6 = false;
    if (!port->v6 && !memcmp(&port->address.s6_addr[12], &in6addr_any, 4))
        port->address = in6addr_any;
    port->dual = port->v6 && host_port_is_wide(port) && !only_v6;
    l->on_listener(port, l->userdata);
}

/* --- socket diagnostics --- */

static bool is_only_v6(const struct inet_diag_msg *m, size_t size)
{
    const struct rtattr *a = (const struct rtattr *)(m + 1);
    int left = (int)(size - sizeof *m);
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
            return *(const uint8_t *)RTA_DATA(a);
    return false;
}

static void report_socket(const struct listing *l, const struct nlmsghdr *header)
{
    const struct inet_diag_msg *m = NLMSG_DATA(header);
    size_t size = NLMSG_PAYLOAD(header, 0);
    if (size < sizeof *m)
        return;
    struct host_port port = {.v6 = m->idiag_family == AF_INET6, .port = ntohs(m->id.idiag_sport)};
    if (port.v6)
        memcpy(&port.address, m->id.idiag_src, sizeof port.address);
    else {
        port.address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(&port.address.s6_addr[12], m->id.idiag_src, 4);
    }
    report(l, &port, is_only_v6(m, size));
}

static int request(int fd, uint8_t family, bool udp)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 diag;
    } q = {.header = {.nlmsg_len = sizeof q,
                      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
           .diag = {.sdiag_family = family,
                    .sdiag_protocol = udp ? IPPROTO_UDP : IPPROTO_TCP,
                    .idiag_states = 1u << (udp ? STATE_CLOSE : STATE_LISTEN)}};
    return send(fd, &q, sizeof q, 0) == sizeof q ? 0 : -errno;
}

/* Reads one dump to its end. Returns 0 or a negative errno. */
static int read_dump(int fd, const struct listing *l)
{
    _Alignas(struct nlmsghdr) char buffer[BUFFER_SIZE];
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        size_t left = (size_t)n;
        for (const struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_type == NLMSG_DONE)
                return 0;
            if (h->nlmsg_type == NLMSG_ERROR) {
                int error = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
                return error < 0 ? error : -EPROTO;
            }
            if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
                report_socket(l, h);
        }
    }
}

static int list_by_diagnostics(const struct listing *l, uint8_t family)
{
    /* The kernel replies at once; the limit is for a reply that is lost. */
    const struct timeval limit = {.tv_sec = 1};
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
        return -errno;
    int r = request(fd, family, l->udp);
    return r < 0 ? r : read_dump(fd, l);
}

/* --- /proc/net --- */

/* Reads an address of /proc/net: 8 hex digits, or four times 8, each a number in the machine's byte order. */
static bool parse_address(const char *text, struct host_port *port)
{
    uint32_t parts[4] = {0, 0, htonl(0xffff), 0};
    size_t n = strlen(text) / 8;
    if ((n != 1 && n != 4) || strlen(text) % 8 != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (sscanf(text + 8 * i, "%8x", &parts[n == 1 ? 3 : i]) != 1)
            return false;
    port->v6 = n == 4;
    memcpy(&port->address, parts, sizeof port->address);
    return true;
}

static void list_by_proc(const struct listing *l, uint8_t family)
{
    _cleanup_free_ char *path =
        xasprintf("/proc/net/%s%s", l->udp ? "udp" : "tcp", family == AF_INET6 ? "6" : "");
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    char line[512], address[40];
    while (f && fgets(line, sizeof line, f)) {
        unsigned number, state;
        struct host_port port = {.v6 = false};
        /* "sl: ADDRESS:PORT ADDRESS:PORT STATE …" */
        if (sscanf(line, " %*u: %39[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", address, &number, &state) != 3 ||
            state != (l->udp ? STATE_CLOSE : STATE_LISTEN) || !parse_address(address, &port))
            continue;
        port.port = number;
        report(l, &port, false);
    }
}

void listeners_list(listener_fn on_listener, void *userdata)
{
    static const struct {
        uint8_t family;
        bool udp;
    } kinds[] = {{AF_INET, false}, {AF_INET6, false}, {AF_INET, true}, {AF_INET6, true}};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct listing l = {on_listener, userdata, kinds[i].udp};
        int r = list_by_diagnostics(&l, kinds[i].family);
        if (r < 0) {
            log_debug("no socket diagnostics (%s): /proc/net is read", strerrordesc_np(-r));
            list_by_proc(&l, kinds[i].family);
        }
    }
}
