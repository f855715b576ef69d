/* Which of the machine's addresses is the one that its zone knows it by. */
#pragma once

#include <netinet/in.h>

#include "lib/basic/error.h"

/* What a network device is, as far as it matters here. */
enum host_device_kind {
    HOST_DEVICE_HARDWARE,  /* hardware, or a bridge, bond or VLAN on top of some */
    HOST_DEVICE_CONTAINER, /* the near end of a pair: what a machine that is itself a container has */
    HOST_DEVICE_VIRTUAL,   /* docker0 and other bridges without hardware, tunnels, overlays */
};

struct host_address {
    char device[32];
    enum host_device_kind kind;
    bool default_route; /* its device has it */
    struct in_addr address;
};

/* Private by RFC 1918. */
bool host_address_is_private(struct in_addr address);

/* The index of the best: private, of hardware (first that with the default route), else of a container's
 * device with the default route; the first of equals. −1: none. Pure. */
int host_address_choose(const struct host_address *addresses, size_t n);

/* The kind of a device of this driver (as ethtool says it), by what lies below 'sys' ("/sys"). */
enum host_device_kind host_device_kind(const char *sys, const char *name, const char *driver);
