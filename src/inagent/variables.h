/* Makes the keys of templates from an AppReplicaInstance (contract section 3). */
#pragma once

#include <jansson.h>

/* Returns an object of key → string, owned by the caller. 'root' is the whole document, 'replica' this
 * container's AppDeployReplica (both borrowed). A member that is missing or of a wrong type counts as
 * empty or 0; the function never fails. */
json_t *variables_make(json_t *root, json_t *replica);

/* Looks a key up in such an object; a template_lookup_fn. */
const char *variables_lookup(void *variables, const char *key, size_t n);
