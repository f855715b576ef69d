/* Implements host_addresses.h. */
#include "reconciler/face/host_addresses.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

/* Reads a setting of the kernel that is 0 or 1; a missing file counts as 0. */
static bool is_set(const char *path)
{
    _cleanup_free_ char *text = NULL;
    struct error e = ERROR_INIT;
    return read_file_at(AT_FDCWD, path, 16, &text, NULL, &e) >= 0 && text[0] == '1';
}

bool host_addresses_read(struct host_addresses *ret)
{
    struct ifaddrs *list = NULL;
    size_t room = 0;
    *ret = (struct host_addresses){.any_v4 = is_set("/proc/sys/net/ipv4/ip_nonlocal_bind"),
                                   .any_v6 = is_set("/proc/sys/net/ipv6/ip_nonlocal_bind")};
    if (getifaddrs(&list) < 0) {
        log_warning("cannot read the addresses of this machine: %s", strerrordesc_np(errno));
        return false;
    }
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        const struct sockaddr *a = i->ifa_addr;
        if (!a || (a->sa_family != AF_INET && a->sa_family != AF_INET6))
            continue;
        if (ret->n == room) {
            room = room * 2 ?: 16;
            ret->items = xrealloc(ret->items, room, sizeof *ret->items);
        }
        struct in6_addr *to = &ret->items[ret->n++];
        *to = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        if (a->sa_family == AF_INET)
            memcpy(&to->s6_addr[12], &((const struct sockaddr_in *)a)->sin_addr, 4);
        else
            *to = ((const struct sockaddr_in6 *)a)->sin6_addr;
        ret->has_v6 |= a->sa_family == AF_INET6;
    }
    freeifaddrs(list);
    return true;
}
