/* Implements nft_events.h. */
#include "net-keeper/nft_events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "net-keeper/nft_table.h"

#define BUFFER_SIZE 32768 /* bytes; the kernel sends parts of at most 8 KiB, and few larger ones */

/* The first attribute of every message names the table. */
_Static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 &&
                   NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1,
               "the table's name");
#define ATTRIBUTE_TABLE 1

struct nft_events {
    int fd;
    sd_event_source *source;
    nft_changed_fn changed;
    void *userdata;
    struct nft_scan scan;
};

/* --- reading --- */

/* Finds an attribute of a message. Returns its content, or NULL. */
static const void *attribute(const struct nlmsghdr *m, unsigned type, size_t *ret_size)
{
    const char *data = (const char *)m + NLMSG_LENGTH(sizeof(struct nfgenmsg));
    size_t left = m->nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg));
    struct nlattr a;
    while (left >= sizeof a) {
        memcpy(&a, data, sizeof a);
        if (a.nla_len < sizeof a || a.nla_len > left)
            return NULL;
        if ((a.nla_type & NLA_TYPE_MASK) == type) {
            *ret_size = a.nla_len - sizeof a;
            return data + sizeof a;
        }
        size_t step = NLA_ALIGN(a.nla_len);
        if (step >= left)
            return NULL;
        data += step;
        left -= step;
    }
    return NULL;
}

static bool names_table(const struct nlmsghdr *m)
{
    const struct nfgenmsg *head = NLMSG_DATA(m);
    size_t size;
    const char *name = attribute(m, ATTRIBUTE_TABLE, &size);
    return head->nfgen_family == NFPROTO_IPV4 && name && size == sizeof NFT_TABLE &&
           memcmp(name, NFT_TABLE, size) == 0;
}

/* Ends a transaction. */
static void scan_generation(struct nft_scan *scan, const struct nlmsghdr *m, uint32_t self)
{
    uint32_t pid = 0;
    size_t size;
    const void *data = attribute(m, NFTA_GEN_PROC_PID, &size);
    if (data && size == sizeof pid)
        memcpy(&pid, data, sizeof pid);
    if (scan->touched && ntohl(pid) != self) {
        const char *name = attribute(m, NFTA_GEN_PROC_NAME, &size);
        scan->changed = true;
        memset(scan->by, 0, sizeof scan->by);
        if (name)
            memcpy(scan->by, name, size < sizeof scan->by ? size : sizeof scan->by - 1);
    }
    scan->touched = false;
}

static void scan_message(struct nft_scan *scan, const struct nlmsghdr *m, uint32_t self)
{
    if (m->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || m->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
        return;
    if ((m->nlmsg_type & 0xff) == NFT_MSG_NEWGEN)
        scan_generation(scan, m, self);
    else
        scan->touched |= names_table(m);
}

void nft_scan(struct nft_scan *scan, const void *data, size_t size, uint32_t self)
{
    const char *at = data;
    for (const struct nlmsghdr *m = data; NLMSG_OK(m, size); m = (const struct nlmsghdr *)at) {
        scan_message(scan, m, self);
        size_t step = NLMSG_ALIGN(m->nlmsg_len);
        if (step >= size)
            return;
        at += step;
        size -= step;
    }
}

/* --- the socket --- */

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source, (void)events;
    struct nft_events *w = userdata;
    _Alignas(struct nlmsghdr) char buffer[BUFFER_SIZE];
    w->scan.changed = false;
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(fd, buffer, sizeof buffer, MSG_TRUNC, (struct sockaddr *)&from, &size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0 || (size_t)n > sizeof buffer) { /* notifications were lost */
            w->scan = (struct nft_scan){.changed = true};
            if (n < 0 && errno != ENOBUFS) {
                log_warning("cannot read notifications of nftables: %m");
                break;
            }
            continue;
        }
        if (from.nl_pid == 0) /* the kernel */
            nft_scan(&w->scan, buffer, (size_t)n, (uint32_t)getpid());
    }
    if (w->scan.changed)
        w->changed(w->scan.by, w->userdata);
    return 0;
}

int nft_events_new(sd_event *event, nft_changed_fn changed, void *userdata, struct nft_events **ret,
                   struct error *e)
{
    const int group = NFNLGRP_NFTABLES;
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd < 0 && errno == EPROTONOSUPPORT)
        return error_set(e, ERROR_NOT_SUPPORTED, EPROTONOSUPPORT,
                         "the kernel has no netfilter (module nfnetlink)");
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
        return error_os(e, errno, "cannot watch nftables");
    struct nft_events *w = xcalloc(1, sizeof *w);
    *w = (struct nft_events){.fd = fd, .changed = changed, .userdata = userdata};
    int r = sd_event_add_io(event, &w->source, fd, EPOLLIN, on_readable, w);
    if (r < 0) {
        free(w);
        return error_os(e, -r, "cannot watch nftables");
    }
    (void)TAKE_FD(fd);
    *ret = w;
    return 0;
}

void nft_events_free(struct nft_events *events)
{
    if (!events)
        return;
    sd_event_source_disable_unref(events->source);
    close_fd(events->fd);
    free(events);
}

int nft_table_exists(struct error *e)
{
    struct {
        struct nlmsghdr head;
        struct nfgenmsg generic;
        struct nlattr attribute;
        char name[NLA_ALIGN(sizeof NFT_TABLE)];
    } ask = {.head = {.nlmsg_len = sizeof ask,
                      .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
             .generic = {.nfgen_family = NFPROTO_IPV4, .version = NFNETLINK_V0},
             .attribute = {.nla_len = sizeof ask.attribute + sizeof NFT_TABLE, .nla_type = NFTA_TABLE_NAME},
             .name = NFT_TABLE};
    const struct timeval patience = {.tv_sec = 5};
    struct {
        struct nlmsghdr head;
        int error; /* the first member of a reply that is an error */
        char rest[4096];
    } reply;
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        send(fd, &ask, sizeof ask, 0) < 0)
        return error_os(e, errno, "cannot ask the kernel for its nftables");
    ssize_t n;
    do {
        n = recv(fd, &reply, sizeof reply, 0);
    } while (n < 0 && errno == EINTR);
    if (n < (ssize_t)(sizeof reply.head + sizeof reply.error))
        return error_os(e, n < 0 ? errno : EPROTO, "cannot ask the kernel for its nftables");
    if (reply.head.nlmsg_type != NLMSG_ERROR)
        return 1;
    if (reply.error == -ENOENT)
        return 0;
    if (reply.error == -EINVAL || reply.error == -EOPNOTSUPP || reply.error == -EPROTONOSUPPORT)
        return error_set(e, ERROR_NOT_SUPPORTED, EOPNOTSUPP, "the kernel has no nftables (module nf_tables)");
    return error_os(e, -reply.error, "cannot ask the kernel for its nftables");
}
