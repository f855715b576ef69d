/* Implements watch.h. */
#include "net-keeper/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/api/net_keeper.h"
#include "net-keeper/netlink_error.h"

/* Bytes of notifications that can wait. A larger burst is lost, and everything is read again. */
#define RECEIVE_BUFFER (1 << 20)

struct watch {
    struct nl_sock *socket;
    sd_event_source *source;
    watch_fn changed;
    void *userdata;
    const struct map *map;
    int device, lower;
    bool concerned;
};

bool watch_concerns(const struct map *map, int device, int lower, const struct nlmsghdr *message)
{
    struct actual a = {.n_links = 0};
    bool concerns = false;
    if (!map || !actual_add(&a, message))
        return false;
    for (size_t i = 0; i < a.n_links; i++)
        concerns |= a.links[i].index == device || a.links[i].index == lower || a.links[i].vxlan ||
                    streq(a.links[i].name, NET_DEVICE);
    /* An address can be this machine's in the zone, or take one of its networks. */
    concerns |= a.n_addresses > 0;
    for (size_t i = 0; i < a.n_entries; i++)
        concerns |= a.entries[i].index == device && (actual_floods(&a.entries[i]) || a.entries[i].marked ||
                                                     map_by_ethernet(map, a.entries[i].ethernet));
    for (size_t i = 0; i < a.n_routes; i++)
        concerns |=
            a.routes[i].index == device || (a.routes[i].to.bits >= NET_PREFIX &&
                                            map_by_instance(map, range_of(a.routes[i].to.first, NET_PREFIX)));
    actual_done(&a);
    return concerns;
}

static int on_message(struct nl_msg *message, void *userdata)
{
    struct watch *w = userdata;
    w->concerned = w->concerned || watch_concerns(w->map, w->device, w->lower, nlmsg_hdr(message));
    return NL_OK;
}

/* Receives what waits. An error that is not "nothing waits" means lost notifications. */
static void receive(struct watch *w)
{
    int r;
    do
        r = nl_recvmsgs_default(w->socket);
    while (r >= 0);
    if (r != -NLE_AGAIN)
        w->concerned = true;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    struct watch *w = userdata;
    receive(w);
    if (w->concerned) {
        w->concerned = false;
        w->changed(w->userdata);
    }
    return 0;
}

/* Has the kernel drop notifications of neighbours that are no forwarding entries: those of each peer of the
 * machine change every few seconds, and each would wake the process up. */
static int filter_neighbours(int fd)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN), /* the family */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog all = {ARRAY_SIZE(program), program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof all) < 0 ? -errno : 0;
}

static int open_socket(struct watch *w, struct error *e)
{
    int size = RECEIVE_BUFFER;
    w->socket = nl_socket_alloc();
    if (!w->socket)
        return error_os(e, ENOMEM, "cannot watch the kernel's network configuration");
    nl_socket_disable_seq_check(w->socket);
    nl_socket_disable_msg_peek(w->socket); /* a longer message counts as lost */
    int r = nl_connect(w->socket, NETLINK_ROUTE);
    if (r >= 0)
        r = nl_socket_set_nonblocking(w->socket);
    if (r >= 0)
        r = nl_socket_modify_cb(w->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, w);
    if (r >= 0 && filter_neighbours(nl_socket_get_fd(w->socket)) < 0)
        r = -NLE_FAILURE;
    /* Without CAP_NET_ADMIN, as in tests, the buffer stays small. */
    if (r >= 0)
        (void)setsockopt(nl_socket_get_fd(w->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (r >= 0)
        r = nl_socket_add_memberships(w->socket, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
                                      RTNLGRP_NEIGH, 0);
    return r < 0 ? netlink_error(e, r, "cannot watch the kernel's network configuration") : 0;
}

int watch_new(sd_event *event, watch_fn changed, void *userdata, struct watch **ret, struct error *e)
{
    struct watch *w = xcalloc(1, sizeof *w);
    *w = (struct watch){.changed = changed, .userdata = userdata};
    int r = open_socket(w, e);
    if (r >= 0) {
        r = sd_event_add_io(event, &w->source, nl_socket_get_fd(w->socket), EPOLLIN, on_readable, w);
        if (r < 0)
            error_os(e, -r, "cannot watch the kernel's network configuration");
    }
    if (r < 0) {
        watch_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    sd_event_source_disable_unref(w->source);
    nl_socket_free(w->socket);
    free(w);
}

void watch_set(struct watch *w, const struct map *map, int device, int lower)
{
    w->map = map;
    w->device = device;
    w->lower = lower;
}

void watch_drain(struct watch *w)
{
    receive(w);
    w->concerned = false;
}
