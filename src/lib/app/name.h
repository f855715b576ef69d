/* Checks and makes the names of instances and of their containers. */
#pragma once

#include "lib/api/app.h"

/* Checks that 'name' is a valid name of an instance: an RFC 1123 label in lower case of 3 to 63
 * characters. Returns 0 or −EINVAL (refused); the message begins with 'what'. */
int app_check_instance_name(const char *name, const char *what, struct error *e);

/* Returns i8k_INSTANCE_ID, the name of a replica's container; the caller frees it. */
char *app_container_name(const char *instance, int64_t replica_id);

/* Parses such a name. Returns 0, or −EINVAL if it does not have that form. The caller frees *ret_instance. */
int app_container_name_parse(const char *name, char **ret_instance, int64_t *ret_replica_id);

/* Returns the instance's name (borrowed): meta.name, else the spec's name; NULL without either. */
const char *app_instance_name(const struct app_manifest *manifest);

/* Returns the replica with this id (borrowed), or NULL. */
struct app_replica *app_find_replica(const struct app_manifest *manifest, int64_t id);
