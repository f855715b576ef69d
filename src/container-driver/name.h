/* Builds and parses names of containers: i8k_INSTANCE_ID, and i8k_INSTANCE_ID.old for the previous container,
 * which a switch renames. */
#pragma once

#include "lib/api/container_driver.h"

#define CONTAINER_NAME_PREFIX "i8k_"

/* Builds the name of the container in a slot of a replica; the caller frees *ret. Returns 0, −EINVAL
 * (refused) when the instance is not a label of RFC 1123 with 3 to 63 characters, or −ERANGE (refused) when
 * the id is not between 0 and 127. */
int container_name(const char *instance, int64_t replica_id, int slot, char **ret, struct error *e);

/* Reads the replica that a container's labels name; 'instance' and 'replica_id' are the labels' values or
 * NULL. Returns false when they name none. */
bool container_labels_parse(const char *instance, const char *replica_id, int64_t *ret_replica_id);

/* Parses a container's name, with or without Docker's leading "/". Returns false when the name does not have
 * hostlet's form. The caller frees *ret_instance. */
bool container_name_parse(const char *name, char **ret_instance, int64_t *ret_replica_id, int *ret_slot);

/* Returns the name of the container that copies a replica's volumes. It does not have the form of a replica's
 * container. The caller frees. */
char *copy_container_name(const char *tree_id, const char *instance, int64_t replica_id);

/* Returns the beginning of the names of a replica's volumes in the runtime: hostlet_TREE_i8k_INSTANCE_ID_.
 * The rest of a name is the key of the volume's path (lib/app/volume.h). The caller frees. */
char *volume_name_prefix(const char *tree_id, const char *instance, int64_t replica_id);
