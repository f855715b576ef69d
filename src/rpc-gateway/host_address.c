/* Implements the choice of the machine's address; see host_address.h. */
#include "rpc-gateway/host_address.h"

#include <arpa/inet.h>
#include <dirent.h>

#include "lib/basic/cleanup.h"

#define DEPTH_MAX 4 /* for example a bridge on a VLAN on a bond */

bool host_address_is_private(struct in_addr address)
{
    uint32_t a = ntohl(address.s_addr);
    return a >> 24 == 10 || a >> 20 == (172 << 4 | 1) || a >> 16 == (192 << 8 | 168);
}

/* Returns the rank of an address: a smaller one is better; 0: it cannot be used. */
static int rank(const struct host_address *a)
{
    if (!host_address_is_private(a->address))
        return 0;
    switch (a->kind) {
    case HOST_DEVICE_HARDWARE:
        return a->default_route ? 1 : 2;
    case HOST_DEVICE_CONTAINER:
        return a->default_route ? 3 : 0;
    case HOST_DEVICE_VIRTUAL:
        break;
    }
    return 0;
}

int host_address_choose(const struct host_address *addresses, size_t n)
{
    int best = -1, best_rank = 0;
    for (size_t i = 0; i < n; i++) {
        int r = rank(&addresses[i]);
        if (r > 0 && (best < 0 || r < best_rank)) {
            best = (int)i;
            best_rank = r;
        }
    }
    return best;
}

static bool stands_on_hardware(const char *sys, const char *name, unsigned depth)
{
    _cleanup_free_ char *device = xasprintf("%s/class/net/%s/device", sys, name);
    if (access(device, F_OK) == 0)
        return true;
    if (depth == DEPTH_MAX)
        return false;
    _cleanup_free_ char *path = xasprintf("%s/class/net/%s", sys, name);
    _cleanup_closedir_ DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        const char *lower = after_prefix(entry->d_name, "lower_");
        if (lower && stands_on_hardware(sys, lower, depth + 1))
            return true;
    }
    return false;
}

enum host_device_kind host_device_kind(const char *sys, const char *name, const char *driver)
{
    static const char *const on_others[] = {"bridge",  "bonding", "team", "802.1Q VLAN Support",
                                            "macvlan", "ipvlan"};
    static const char *const of_containers[] = {"veth", "macvlan", "ipvlan"};
    unsigned depth = DEPTH_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(on_others); i++)
        if (streq(driver, on_others[i]))
            depth = 0;
    if (stands_on_hardware(sys, name, depth))
        return HOST_DEVICE_HARDWARE;
    for (size_t i = 0; i < ARRAY_SIZE(of_containers); i++)
        if (streq(driver, of_containers[i]))
            return HOST_DEVICE_CONTAINER;
    return HOST_DEVICE_VIRTUAL;
}
