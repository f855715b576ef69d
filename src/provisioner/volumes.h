/* Makes the directories of a replica's volumes: CONTAINER/volumes/KEY (lib/app/volume.h).
 *
 * The runtime mounts KEY into the container, so the tenant controls what is in it, its owner and its mode.
 * The directories above it belong to root, and no tenant can replace an entry of them. */
#pragma once

#include "provisioner/tenant.h"

/* Makes those of the n volumes that are missing, as empty directories of 'owner' (user and group), beneath
 * the replica's directory 'container'. If the image has a directory at the path, the runtime gives an empty
 * volume its content, owner and mode. 'paths' are paths in the container that app_volume_check() accepts. */
int volumes_make(struct tenant *tenant, int container, char *const *paths, size_t n, uid_t owner,
                 struct error *e);
