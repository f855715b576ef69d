/* Builds the definition of a container that copies volumes.
 *
 * A container made by an earlier version, or by another agent, has its data in anonymous volumes. No process
 * of the tree may read them, and a copy with every owner, mode and attribute needs root's rights: so a
 * container makes it, which has the rights that containers of images have, and reaches these volumes and
 * their copies alone. */
#pragma once

#include "container-driver/spec.h"

/* Fills *ret, which the caller releases with spec_done(). The container runs inagent's command copy, in the
 * image of 'from', of which it uses nothing. Returns 0, or −EINVAL (refused) if 'from' has no anonymous
 * volume at one of the paths. */
int spec_make_copy(const struct driver_copy_in *in, const struct driver_container *from,
                   const struct settings *settings, struct spec *ret, struct error *e);
