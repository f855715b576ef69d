/* Lists the host ports that are in use on this machine. */
#pragma once

#include "reconciler/model/instance.h"
#include "reconciler/rules/ports.h"

/* Lists the ports of all replicas, of containers whose record cannot be read, of the tree itself, and of
 * programs that listen. The caller frees ret->items; the names in it belong to the instances. */
void host_ports_in_use(const struct manager *m, struct port_uses *ret);
