/* Giving up what a service does not need. */
#pragma once

#include "lib/topology/topology.h"

/* From root into the user, groups, capabilities and network namespace of 'conf'; nothing can be regained.
 * 'netns' is a descriptor of an empty network namespace to join, or −1 to make one; 'die_with_parent' asks
 * for SIGKILL when the parent dies. Not root already: only what is possible without it (said by the caller).
 */
int jail_enter(const struct service_conf *conf, const gid_t *extra_groups, size_t n_extra_groups, int netns,
               bool die_with_parent, struct error *e);
