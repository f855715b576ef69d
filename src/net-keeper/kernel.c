/* Implements kernel.h. */
#include "net-keeper/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/vxlan.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/api/net_keeper.h"
#include "lib/basic/cleanup.h"
#include "net-keeper/netlink_error.h"

#define DUMPS_MAX  10    /* attempts: a dump during which something changed is requested again */
#define BUFFER_MAX 65536 /* bytes of a part of a dump; the kernel sends at most half of that */

#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif

struct kernel {
    struct nl_sock *socket;
    int errnum; /* of the kernel's last reply that was an error */
};

DEFINE_CLEANUP(struct nl_msg *, nlmsg_free);
DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put);

/* Stores the errno: libnl's own numbers do not tell all of them apart. */
static int on_error(struct sockaddr_nl *from, struct nlmsgerr *reply, void *userdata)
{
    struct kernel *k = userdata;
    (void)from;
    k->errnum = -reply->error;
    return NL_STOP;
}

int kernel_new(struct kernel **ret, struct error *e)
{
    struct kernel *k = xcalloc(1, sizeof *k);
    k->socket = nl_socket_alloc();
    int r = k->socket ? nl_connect(k->socket, NETLINK_ROUTE) : -NLE_NOMEM;
    if (r >= 0)
        r = nl_socket_set_msg_buf_size(k->socket, BUFFER_MAX);
    if (r < 0) {
        kernel_free(k);
        return netlink_error(e, r, "cannot open a socket of the kernel's network configuration");
    }
    nl_socket_disable_msg_peek(k->socket);
    nl_socket_modify_err_cb(k->socket, NL_CB_CUSTOM, on_error, k);
    *ret = k;
    return 0;
}

void kernel_free(struct kernel *k)
{
    if (!k)
        return;
    nl_socket_free(k->socket);
    free(k);
}

/* Reading */

static int on_message(struct nl_msg *message, void *userdata)
{
    actual_add(userdata, nlmsg_hdr(message));
    return NL_OK;
}

static int request_dump(struct kernel *k, int type, void *head, size_t size, struct actual *to)
{
    _cleanup_(cleanup_nlmsg_free) struct nl_msg *message =
        nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);
    struct nl_cb *callbacks = nl_cb_alloc(NL_CB_DEFAULT);
    int r = message && callbacks ? nlmsg_append(message, head, size, NLMSG_ALIGNTO) : -NLE_NOMEM;
    /* Statistics are half of what the kernel states of a device. */
    if (r >= 0 && type == RTM_GETLINK)
        r = nla_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    if (r >= 0)
        r = nl_send_auto(k->socket, message);
    if (r >= 0)
        r = nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, on_message, to);
    if (r >= 0)
        r = nl_recvmsgs(k->socket, callbacks);
    nl_cb_put(callbacks);
    return r;
}

/* Requests a dump until nothing changed during it. 'items' and 'n' are those that it fills: an interrupted
 * dump is dropped. */
static int dump(struct kernel *k, int type, void *head, size_t size, struct actual *to, size_t *n,
                const char *what, struct error *e)
{
    int r = -NLE_DUMP_INTR;
    for (unsigned i = 0; r == -NLE_DUMP_INTR && i < DUMPS_MAX; i++) {
        *n = 0;
        r = request_dump(k, type, head, size, to);
    }
    return r < 0 ? netlink_error(e, r, "cannot read the kernel's %s", what) : 0;
}

int kernel_read(struct kernel *k, const char *device, struct actual *ret, struct error *e)
{
    struct actual a = {.n_links = 0};
    struct ifinfomsg links = {.ifi_family = AF_UNSPEC};
    struct ifaddrmsg addresses = {.ifa_family = AF_INET};
    struct rtmsg routes = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN};
    int r = dump(k, RTM_GETLINK, &links, sizeof links, &a, &a.n_links, "devices", e);
    if (r >= 0)
        r = dump(k, RTM_GETADDR, &addresses, sizeof addresses, &a, &a.n_addresses, "addresses", e);
    if (r >= 0)
        r = dump(k, RTM_GETROUTE, &routes, sizeof routes, &a, &a.n_routes, "routes", e);
    const struct actual_link *link = r >= 0 ? actual_link_named(&a, device) : NULL;
    if (link && link->vxlan) {
        struct ifinfomsg entries = {.ifi_family = AF_BRIDGE, .ifi_index = link->index};
        r = dump(k, RTM_GETNEIGH, &entries, sizeof entries, &a, &a.n_entries, "forwarding entries", e);
    }
    if (r >= 0 && a.left_out > 0)
        r = error_fail(e, E2BIG,
                       "the kernel has more devices, addresses, entries or routes than can be compared");
    if (r < 0) {
        actual_done(&a);
        return r;
    }
    *ret = a;
    return 0;
}

/* Changes */

/* Sends a request, and waits for the acknowledgement. Frees the message. */
static int execute(struct kernel *k, struct nl_msg *message)
{
    return nl_send_sync(k->socket, message);
}

static struct nl_msg *request(int type, int flags, void *head, size_t size)
{
    struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);
    if (!message || nlmsg_append(message, head, size, NLMSG_ALIGNTO) < 0)
        abort(); /* memory is exhausted */
    return message;
}

static void put_address(struct nl_msg *message, int attribute, uint32_t address)
{
    if (nla_put_u32(message, attribute, htonl(address)) < 0)
        abort();
}

static void put_number(struct nl_msg *message, int attribute, uint32_t number)
{
    if (nla_put_u32(message, attribute, number) < 0)
        abort();
}

/* Turns IPv6 off on the device: the network is one of IPv4, and any machine of the zone could announce itself
 * as the router of this one. What the kernel has learned by the device already is forgotten with it. */
static int disable_ipv6(struct kernel *k)
{
    static const char path[] = "/proc/sys/net/ipv6/conf/" NET_DEVICE "/disable_ipv6";
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) == 1)
        return 0;
    if (fd < 0 && errno == ENOENT) /* the kernel has no IPv6 */
        return 0;
    k->errnum = errno;
    return -NLE_FAILURE;
}

static int create_device(struct kernel *k, struct plan *plan)
{
    _cleanup_(cleanup_rtnl_link_put) struct rtnl_link *link = rtnl_link_vxlan_alloc(), *made = NULL;
    if (!link)
        return -NLE_NOMEM;
    struct nl_addr *ethernet = nl_addr_build(AF_LLC, plan->ethernet, sizeof plan->ethernet);
    if (!ethernet)
        return -NLE_NOMEM;
    rtnl_link_set_addr(link, ethernet);
    nl_addr_put(ethernet);
    rtnl_link_set_name(link, NET_DEVICE);
    rtnl_link_set_mtu(link, plan->mtu);
    rtnl_link_set_flags(link, IFF_UP);
    int r = rtnl_link_vxlan_set_id(link, VXLAN_ID);
    if (r >= 0)
        r = rtnl_link_vxlan_set_port(link, VXLAN_PORT);
    if (r >= 0)
        r = rtnl_link_vxlan_set_link(link, (uint32_t)plan->lower);
    if (r >= 0)
        r = rtnl_link_vxlan_set_learning(link, 0);
    if (r >= 0)
        r = rtnl_link_add(k->socket, link, NLM_F_CREATE | NLM_F_EXCL);
    if (r >= 0)
        (void)disable_ipv6(k); /* the next comparison says what is wrong */
    if (r >= 0)
        r = rtnl_link_get_kernel(k->socket, 0, NET_DEVICE, &made);
    if (r >= 0)
        plan->device = rtnl_link_get_ifindex(made);
    return r;
}

static int set_device(struct kernel *k, const struct plan *plan, unsigned set)
{
    struct ifinfomsg head = {.ifi_index = plan->device};
    if (set & DEVICE_NO_IPV6)
        return disable_ipv6(k);
    if (set & DEVICE_UP)
        head.ifi_flags = head.ifi_change = IFF_UP;
    struct nl_msg *message = request(RTM_NEWLINK, 0, &head, sizeof head);
    if (set & DEVICE_MTU)
        put_number(message, IFLA_MTU, plan->mtu);
    if (set & (DEVICE_LOWER | DEVICE_LEARNING)) {
        struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO);
        if (!info || nla_put_string(message, IFLA_INFO_KIND, "vxlan") < 0)
            abort();
        struct nlattr *data = nla_nest_start(message, IFLA_INFO_DATA);
        if (!data)
            abort();
        if (set & DEVICE_LOWER)
            put_number(message, IFLA_VXLAN_LINK, (uint32_t)plan->lower);
        if (set & DEVICE_LEARNING && nla_put_u8(message, IFLA_VXLAN_LEARNING, 0) < 0)
            abort();
        nla_nest_end(message, data);
        nla_nest_end(message, info);
    }
    return execute(k, message);
}

static int mark_device(struct kernel *k, const struct plan *plan, const char *mark)
{
    struct ifinfomsg head = {.ifi_index = plan->device};
    struct nl_msg *message = request(RTM_NEWLINK, 0, &head, sizeof head);
    if (nla_put_string(message, IFLA_IFALIAS, mark) < 0)
        abort();
    return execute(k, message);
}

static int delete_device(struct kernel *k, const struct plan *plan)
{
    struct ifinfomsg head = {.ifi_index = plan->device};
    return execute(k, request(RTM_DELLINK, 0, &head, sizeof head));
}

static int change_address(struct kernel *k, const struct plan *plan, const struct change *c)
{
    bool adds = c->kind == CHANGE_ADD_ADDRESS;
    struct ifaddrmsg head = {.ifa_family = AF_INET,
                             .ifa_prefixlen = (uint8_t)c->address.bits,
                             .ifa_scope = RT_SCOPE_UNIVERSE,
                             .ifa_index = (unsigned)plan->device};
    struct nl_msg *message =
        request(adds ? RTM_NEWADDR : RTM_DELADDR, adds ? NLM_F_CREATE | NLM_F_EXCL : 0, &head, sizeof head);
    put_address(message, IFA_LOCAL, c->address.address);
    put_address(message, IFA_ADDRESS, c->address.address);
    if (adds && nla_put_u8(message, IFA_PROTO, NET_PROTOCOL) < 0)
        abort();
    return execute(k, message);
}

static int change_entry(struct kernel *k, const struct plan *plan, const struct change *c)
{
    bool adds = c->kind != CHANGE_DELETE_ENTRY;
    int flags = c->kind == CHANGE_ADD_ENTRY       ? NLM_F_CREATE | NLM_F_APPEND
                : c->kind == CHANGE_REPLACE_ENTRY ? NLM_F_CREATE | NLM_F_REPLACE
                                                  : 0;
    struct ndmsg head = {.ndm_family = AF_BRIDGE,
                         .ndm_ifindex = plan->device,
                         .ndm_state = NUD_NOARP | NUD_PERMANENT,
                         .ndm_flags = NTF_SELF | (c->entry.marked ? NTF_EXT_LEARNED : 0)};
    struct nl_msg *message = request(adds ? RTM_NEWNEIGH : RTM_DELNEIGH, flags, &head, sizeof head);
    if (nla_put(message, NDA_LLADDR, ETHERNET_SIZE, c->entry.ethernet) < 0)
        abort();
    put_address(message, NDA_DST, c->entry.peer);
    if (c->entry.port && nla_put_u16(message, NDA_PORT, htons(c->entry.port)) < 0)
        abort();
    if (c->entry.id)
        put_number(message, NDA_VNI, c->entry.id);
    if (c->entry.via)
        put_number(message, NDA_IFINDEX, (uint32_t)c->entry.via);
    return execute(k, message);
}

static int change_route(struct kernel *k, const struct plan *plan, const struct change *c)
{
    bool adds = c->kind != CHANGE_DELETE_ROUTE;
    int flags = c->kind == CHANGE_ADD_ROUTE       ? NLM_F_CREATE | NLM_F_EXCL
                : c->kind == CHANGE_REPLACE_ROUTE ? NLM_F_REPLACE
                                                  : 0;
    struct rtmsg head = {.rtm_family = AF_INET,
                         .rtm_dst_len = (uint8_t)c->route.to.bits,
                         .rtm_tos = (uint8_t)c->route.tos,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = (uint8_t)(adds ? NET_PROTOCOL : c->route.protocol),
                         .rtm_scope = (uint8_t)(adds ? RT_SCOPE_UNIVERSE : c->route.scope),
                         .rtm_type = RTN_UNICAST};
    struct nl_msg *message = request(adds ? RTM_NEWROUTE : RTM_DELROUTE, flags, &head, sizeof head);
    put_address(message, RTA_DST, c->route.to.first);
    put_number(message, RTA_OIF, (uint32_t)plan->device);
    if (c->route.gateway)
        put_address(message, RTA_GATEWAY, c->route.gateway);
    if (c->route.metric)
        put_number(message, RTA_PRIORITY, c->route.metric);
    return execute(k, message);
}

static int make_change(struct kernel *k, struct plan *plan, const struct change *c, const char *mark)
{
    switch (c->kind) {
    case CHANGE_CREATE_DEVICE:
        return create_device(k, plan);
    case CHANGE_SET_DEVICE:
        return set_device(k, plan, c->set);
    case CHANGE_MARK_DEVICE:
        return mark_device(k, plan, mark);
    case CHANGE_DELETE_DEVICE:
        return delete_device(k, plan);
    case CHANGE_DELETE_ADDRESS:
    case CHANGE_ADD_ADDRESS:
        return change_address(k, plan, c);
    case CHANGE_ADD_ENTRY:
    case CHANGE_REPLACE_ENTRY:
    case CHANGE_DELETE_ENTRY:
        return change_entry(k, plan, c);
    case CHANGE_ADD_ROUTE:
    case CHANGE_REPLACE_ROUTE:
    case CHANGE_DELETE_ROUTE:
        return change_route(k, plan, c);
    }
    abort();
}

int kernel_change(struct kernel *k, struct plan *plan, const struct change *change, const char *mark,
                  struct error *e)
{
    k->errnum = 0;
    int r = make_change(k, plan, change, mark);
    if (r >= 0)
        return 0;
    _cleanup_free_ char *text = change_text(change);
    if (k->errnum == EEXIST && change->kind == CHANGE_CREATE_DEVICE)
        return error_fail(
            e, EEXIST,
            "%s: a VXLAN device with the id %d and the port %d exists; if this machine shows none, "
            "it was moved into another network namespace",
            text, VXLAN_ID, VXLAN_PORT);
    if (k->errnum == EOPNOTSUPP && change->kind == CHANGE_CREATE_DEVICE)
        return error_fail(e, EOPNOTSUPP, "%s: the kernel has no VXLAN (module vxlan)", text);
    switch (k->errnum) {
    case 0:
        return netlink_error(e, r, "%s", text);
    case ESRCH:
    case ENODEV:
    case ENXIO:
    case EADDRNOTAVAIL:
        return error_fail(e, ENOENT, "%s: %s", text, strerror(k->errnum));
    default:
        return error_os(e, k->errnum, "%s", text);
    }
}
