/* Confines a worker: the jail. */
#pragma once

#include "lib/topology/topology.h"

/* Drops root: sets the user, groups, capabilities and network namespace that 'conf' defines, and
 * no_new_privs. The process cannot regain what it dropped. 'netns' is a descriptor of an empty network
 * namespace to join, or −1 to create one; it is used only if 'conf' allows no network. With 'die_with_parent'
 * the kernel sends SIGKILL to the process when its parent exits. The caller must be root. Returns 0, −EINVAL
 * (refused) for a capability that is unknown, or a negative errno. */
int jail_enter(const struct service_conf *conf, const gid_t *extra_groups, size_t n_extra_groups, int netns,
               bool die_with_parent, struct error *e);
