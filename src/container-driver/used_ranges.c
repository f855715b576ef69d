/* Implements used_ranges.h. */
#include "container-driver/used_ranges.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/basic/cleanup.h"

#define ANSWER_MAX 65536 /* bytes of a part of a dump; the kernel sends at most half of that */
#define DUMPS_MAX  5     /* attempts: a dump during which something changed is requested again */

struct ranges {
    struct used_range *items;
    size_t n, room;
};

static void add(struct ranges *all, enum address_use use, uint32_t first, unsigned bits, int device)
{
    if (all->n == all->room) {
        all->room = all->room ? 2 * all->room : 64;
        all->items = xrealloc(all->items, all->room, sizeof *all->items);
    }
    struct used_range *range = &all->items[all->n++];
    *range = (struct used_range){.use = use, .first = first, .bits = bits};
    if (device <= 0 || !if_indextoname((unsigned)device, range->device))
        *range->device = '\0';
}

/* Reads an IPv4 address from an attribute. Returns false when the attribute is absent or not an IPv4 address.
 */
static bool get_address(const struct rtattr *a, uint32_t *ret)
{
    if (!a || RTA_PAYLOAD(a) != sizeof *ret)
        return false;
    memcpy(ret, RTA_DATA(a), sizeof *ret);
    *ret = ntohl(*ret);
    return true;
}

static void index_attributes(const struct rtattr *a, size_t size, const struct rtattr **ret, size_t max)
{
    memset(ret, 0, (max + 1) * sizeof *ret);
    for (; RTA_OK(a, size); a = RTA_NEXT(a, size))
        if ((a->rta_type & NLA_TYPE_MASK) <= max)
            ret[a->rta_type & NLA_TYPE_MASK] = a;
}

static void take_address(const struct nlmsghdr *m, struct ranges *all)
{
    const struct ifaddrmsg *address = NLMSG_DATA(m);
    const struct rtattr *a[IFA_MAX + 1];
    uint32_t local, peer;
    if (m->nlmsg_len < NLMSG_LENGTH(sizeof *address) || address->ifa_family != AF_INET)
        return;
    index_attributes(IFA_RTA(address), m->nlmsg_len - NLMSG_LENGTH(sizeof *address), a, IFA_MAX);
    bool has_local = get_address(a[IFA_LOCAL], &local);
    if (get_address(a[IFA_ADDRESS], &peer))
        add(all, USE_ADDRESS, peer, address->ifa_prefixlen, (int)address->ifa_index);
    if (has_local) /* on a point-to-point device, IFA_ADDRESS is the other end's address */
        add(all, USE_ADDRESS, local, 32, (int)address->ifa_index);
}

static void take_next_hops(const struct rtattr *a, struct ranges *all)
{
    const struct rtnexthop *hop = RTA_DATA(a);
    int size = (int)RTA_PAYLOAD(a);
    while (size >= (int)sizeof *hop && RTNH_OK(hop, size)) {
        const struct rtattr *of_hop[RTA_MAX + 1];
        uint32_t gateway;
        index_attributes(RTNH_DATA(hop), hop->rtnh_len - sizeof *hop, of_hop, RTA_MAX);
        if (get_address(of_hop[RTA_GATEWAY], &gateway))
            add(all, USE_GATEWAY, gateway, 32, hop->rtnh_ifindex);
        int step = RTNH_ALIGN(hop->rtnh_len);
        if (step > size)
            return;
        size -= step;
        hop = RTNH_NEXT(hop);
    }
}

static void take_route(const struct nlmsghdr *m, struct ranges *all)
{
    const struct rtmsg *route = NLMSG_DATA(m);
    const struct rtattr *a[RTA_MAX + 1];
    uint32_t destination = 0, gateway;
    int device = 0;
    if (m->nlmsg_len < NLMSG_LENGTH(sizeof *route) || route->rtm_family != AF_INET ||
        route->rtm_flags & RTM_F_CLONED || route->rtm_type == RTN_MULTICAST)
        return;
    index_attributes(RTM_RTA(route), m->nlmsg_len - NLMSG_LENGTH(sizeof *route), a, RTA_MAX);
    if (a[RTA_OIF] && RTA_PAYLOAD(a[RTA_OIF]) == sizeof device)
        memcpy(&device, RTA_DATA(a[RTA_OIF]), sizeof device);
    if (get_address(a[RTA_GATEWAY], &gateway))
        add(all, USE_GATEWAY, gateway, 32, device);
    if (a[RTA_MULTIPATH])
        take_next_hops(a[RTA_MULTIPATH], all);
    if (get_address(a[RTA_DST], &destination) && route->rtm_dst_len > 0)
        add(all, route->rtm_type == RTN_LOCAL ? USE_ADDRESS : USE_ROUTE, destination, route->rtm_dst_len,
            device);
}

/* Reads one part of a dump. Returns 0, 1 at the end of the dump, −EAGAIN when something changed during the
 * dump and it must be requested again, or another negative errno. */
static int take_part(char *data, size_t size, struct ranges *all)
{
    bool changed = false;
    for (struct nlmsghdr *m = (struct nlmsghdr *)data; NLMSG_OK(m, size); m = NLMSG_NEXT(m, size)) {
        changed |= m->nlmsg_flags & NLM_F_DUMP_INTR;
        if (m->nlmsg_type == NLMSG_DONE)
            return changed ? -EAGAIN : 1;
        if (m->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *error = NLMSG_DATA(m);
            return m->nlmsg_len < NLMSG_LENGTH(sizeof *error) || error->error >= 0 ? -EPROTO : error->error;
        }
        if (m->nlmsg_type == RTM_NEWADDR)
            take_address(m, all);
        else if (m->nlmsg_type == RTM_NEWROUTE)
            take_route(m, all);
    }
    return changed ? -EAGAIN : 0;
}

static int dump(uint16_t type, struct ranges *all)
{
    struct {
        struct nlmsghdr head;
        struct rtmsg route; /* at least as large as the struct ifaddrmsg that RTM_GETADDR expects */
    } ask = {.head = {.nlmsg_len = sizeof ask, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .route = {.rtm_family = AF_INET}};
    const struct timeval patience = {.tv_sec = 5};
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    _cleanup_free_ char *data = xcalloc(ANSWER_MAX, 1);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        send(fd, &ask, sizeof ask, 0) < 0)
        return -errno;
    for (int r = 0; r == 0;) {
        ssize_t n = recv(fd, data, ANSWER_MAX, MSG_TRUNC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || n > ANSWER_MAX)
            return n < 0 ? -errno : -EMSGSIZE;
        r = take_part(data, (size_t)n, all);
        if (r != 0)
            return r;
    }
    return 0;
}

static void read_name_servers(struct ranges *all)
{
    char line[512], text[64];
    struct in_addr address;
    _cleanup_fclose_ FILE *f = fopen("/etc/resolv.conf", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, " nameserver %63s", text) == 1 && inet_pton(AF_INET, text, &address) == 1)
            add(all, USE_NAME_SERVER, ntohl(address.s_addr), 32, 0);
}

int used_ranges_read(struct used_range **ret, size_t *ret_n, struct error *e)
{
    struct ranges all = {.n = 0};
    int r = -EAGAIN;
    for (int i = 0; i < DUMPS_MAX && r == -EAGAIN; i++) {
        all.n = 0;
        r = dump(RTM_GETADDR, &all);
        if (r >= 0)
            r = dump(RTM_GETROUTE, &all);
    }
    if (r < 0) {
        free(all.items);
        return error_os(e, -r, "cannot read this machine's addresses and routes");
    }
    read_name_servers(&all);
    *ret = all.items;
    *ret_n = all.n;
    return 0;
}
