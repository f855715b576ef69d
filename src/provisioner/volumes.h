/* Makes the directories of a replica's volumes: CONTAINER/volumes/KEY (lib/app/volume.h).
 *
 * The runtime mounts KEY into the container, so the tenant controls what is in it, its owner and its mode.
 * The directories above it belong to root, and no tenant can replace an entry of them. */
#pragma once

#include "provisioner/tenant.h"

/* Acts for the copies of what an earlier container has in volumes of the runtime's own. container-driver
 * fills them. */
enum volumes_copy {
    COPY_BEGIN,    /* make an empty directory for each copy */
    COPY_COMPLETE, /* the copies become the volumes, in place of what these contain */
    COPY_DROP,     /* remove what is there of the copies */
};

/* Makes those of the n volumes that are missing, as empty directories of 'owner' (user and group), beneath
 * the replica's directory 'container'. If the image has a directory at the path, the runtime gives an empty
 * volume its content, owner and mode. 'paths' are paths in the container that app_volume_check() accepts. */
int volumes_make(struct tenant *tenant, int container, char *const *paths, size_t n, uid_t owner,
                 struct error *e);

/* Does one act for the copies of the n volumes. Each act can be repeated; −ENOENT (not found): a copy that is
 * to become a volume does not exist. */
int volumes_copy(struct tenant *tenant, int container, enum volumes_copy act, char *const *paths, size_t n,
                 struct error *e);
