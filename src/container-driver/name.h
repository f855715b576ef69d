/* Names of containers: i8k_INSTANCE_ID, and i8k_INSTANCE_ID.old for the one that a switch put aside. */
#pragma once

#include "lib/api/container_driver.h"

#define CONTAINER_NAME_PREFIX "i8k_"

/* The name of the container in a slot of a replica; the caller frees. Refused: an instance that is no label
 * of RFC 1123 with 3 to 63 characters, an id outside of 0 to 127. */
int container_name(const char *instance, int64_t replica_id, int slot, char **ret, struct error *e);

/* Takes a name apart (a leading "/" of Docker's is fine). False when it is not of our form; *ret_instance is
 * the caller's. */
bool container_name_parse(const char *name, char **ret_instance, int64_t *ret_replica_id, int *ret_slot);
