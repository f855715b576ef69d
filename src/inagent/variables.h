/* The keys that templates know, made from an AppReplicaInstance (contract section 3). */
#pragma once

#include <jansson.h>

/* An object of key → string, owned by the caller. 'root' is the whole document, 'replica' the
 * AppDeployReplica that we are (both borrowed). What is missing or of a wrong type in them gives no key; this
 * never fails. */
json_t *variables_make(json_t *root, json_t *replica);

/* A template_lookup_fn on such an object. */
const char *variables_lookup(void *variables, const char *key, size_t n);
