/* Lists the ports on which programs of this machine listen, as the kernel's socket diagnostics show them. */
#pragma once

#include "lib/app/host_port.h"

typedef void (*listener_fn)(const struct host_port *port, void *userdata);

/* Calls 'on_listener' for each listening TCP socket and each UDP socket without a peer. A socket on all IPv6
 * addresses is 'dual' unless its program restricted it to IPv6 (IPV6_V6ONLY). Where the kernel has no socket
 * diagnostics, /proc/net shows the sockets, and each on all IPv6 addresses counts as dual. Needs no rights.
 */
void listeners_list(listener_fn on_listener, void *userdata);
