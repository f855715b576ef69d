/* Chooses which of the machine's addresses its zone uses. */
#pragma once

#include <netinet/in.h>

#include "lib/basic/error.h"

/* The kinds of network devices. */
enum host_device_kind {
    HOST_DEVICE_HARDWARE, /* hardware, or a bridge, bond or VLAN on top of some */
    /* One end of a veth pair, or a macvlan or ipvlan device: the network of a machine that is itself a
       container. */
    HOST_DEVICE_CONTAINER,
    HOST_DEVICE_VIRTUAL, /* docker0 and other bridges without hardware, tunnels, overlays */
};

struct host_address {
    char device[32];
    enum host_device_kind kind;
    bool default_route; /* the device has the default route */
    struct in_addr address;
};

/* Reports whether the address is private (RFC 1918). */
bool host_address_is_private(struct in_addr address);

/* Returns the index of the best address: a private one of hardware (the device with the default route
 * first), else of a container's device with the default route; the first of equals. −1: none. */
int host_address_choose(const struct host_address *addresses, size_t n);

/* Returns the kind of a device with this driver (as ethtool reports it), by its entries below 'sys'
 * ("/sys"). */
enum host_device_kind host_device_kind(const char *sys, const char *name, const char *driver);
