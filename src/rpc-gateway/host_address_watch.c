/* Implements host_address_watch.h. */
#include "rpc-gateway/host_address_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "rpc-gateway/host_address.h"
#include "rpc-gateway/host_parse.h"

struct host_address_watch {
    const char *configured; /* NULL: the address is searched */
    host_address_fn on_change;
    void *userdata;
    int netlink_fd;
    sd_event_source *source;
    char address[INET_ADDRSTRLEN], device[32]; /* "": none */
};

static void default_device(char *device, size_t size)
{
    _cleanup_free_ char *text = NULL;
    size_t length;
    if (read_file_at(AT_FDCWD, "/proc/net/route", 1 << 20, &text, &length, NULL) < 0 ||
        !host_parse_route(text, device, size))
        *device = '\0';
}

/* Reads the name of a device's driver; "" if the kernel reports none, as for older tunnels. */
static void read_driver(const char *name, char *driver, size_t size)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request = {.ifr_data = (char *)&info};
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%.*s", IFNAMSIZ - 1, name);
    bool known = fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) >= 0;
    (void)snprintf(driver, size, "%.*s", (int)sizeof info.driver, known ? info.driver : "");
}

/* Returns all IPv4 addresses of devices that are up, except loopback; the caller frees them. */
static struct host_address *list_addresses(size_t *ret_n)
{
    struct ifaddrs *all = NULL;
    struct host_address *list = NULL;
    char with_route[32], driver[33];
    *ret_n = 0;
    default_device(with_route, sizeof with_route);
    if (getifaddrs(&all) < 0)
        return NULL;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP) ||
            (i->ifa_flags & IFF_LOOPBACK))
            continue;
        list = xrealloc(list, *ret_n + 1, sizeof *list);
        struct host_address *a = &list[(*ret_n)++];
        /* An alias (eth0:1) belongs to its device. */
        (void)snprintf(a->device, sizeof a->device, "%.*s", (int)strcspn(i->ifa_name, ":"), i->ifa_name);
        read_driver(a->device, driver, sizeof driver);
        a->kind = host_device_kind("/sys", a->device, driver);
        a->default_route = streq(a->device, with_route);
        a->address = ((const struct sockaddr_in *)i->ifa_addr)->sin_addr;
    }
    freeifaddrs(all);
    return list;
}

/* Finds the address: the configured one, else the present one if it is as good as any other, else the
 * best. */
static void find(const struct host_address_watch *w, char *address, char *device)
{
    size_t n = 0;
    _cleanup_free_ struct host_address *list = list_addresses(&n);
    int best = w->configured ? -1 : host_address_choose(list, n);
    const char *wanted = w->configured ?: w->address;
    *device = '\0';
    (void)snprintf(address, INET_ADDRSTRLEN, "%s", w->configured ?: "");
    for (size_t i = 0; i < n; i++) {
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &list[i].address, text, sizeof text);
        /* All private addresses of one device are equally good: the one that peers have stays. */
        if (streq(text, wanted) && (w->configured || (best >= 0 && streq(list[i].device, list[best].device) &&
                                                      host_address_is_private(list[i].address))))
            best = (int)i;
    }
    if (best < 0)
        return;
    inet_ntop(AF_INET, &list[best].address, address, INET_ADDRSTRLEN);
    (void)snprintf(device, sizeof w->device, "%s", list[best].device);
}

static void look(struct host_address_watch *w, bool tell)
{
    char address[sizeof w->address], device[sizeof w->device];
    find(w, address, device);
    bool other = !streq(address, w->address);
    memcpy(w->address, address, sizeof address);
    memcpy(w->device, device, sizeof device);
    if (other && tell)
        w->on_change(*w->address ? w->address : NULL, w->device, w->userdata);
}

/* Any message means that an address or a route changed; its content is not needed. An overrun (ENOBUFS)
 * means the same. */
static int on_netlink(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    char message[4096];
    while (recv(fd, message, sizeof message, MSG_DONTWAIT) > 0 || errno == ENOBUFS)
        ;
    look(userdata, true);
    return 0;
}

static int open_netlink(struct host_address_watch *w, sd_event *event, struct error *e)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                        .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE};
    w->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (w->netlink_fd < 0 || bind(w->netlink_fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return error_os(e, errno, "cannot watch the machine's addresses");
    int r = sd_event_add_io(event, &w->source, w->netlink_fd, EPOLLIN, on_netlink, w);
    return r < 0 ? error_os(e, -r, "cannot watch the machine's addresses") : 0;
}

int host_address_watch_new(sd_event *event, const char *configured, host_address_fn on_change, void *userdata,
                           struct host_address_watch **ret, struct error *e)
{
    struct host_address_watch *w = xcalloc(1, sizeof *w);
    w->configured = configured && *configured ? configured : NULL;
    w->on_change = on_change;
    w->userdata = userdata;
    w->netlink_fd = -1;
    int r = open_netlink(w, event, e);
    if (r < 0) {
        host_address_watch_free(w);
        return r;
    }
    look(w, false);
    *ret = w;
    return 0;
}

const char *host_address_now(const struct host_address_watch *w, const char **ret_device)
{
    if (ret_device)
        *ret_device = w->device;
    return *w->address ? w->address : NULL;
}

void host_address_watch_free(struct host_address_watch *w)
{
    if (!w)
        return;
    sd_event_source_disable_unref(w->source);
    close_fd(w->netlink_fd);
    free(w);
}
