/* Writes declared C structs as JSON. */
#pragma once

#include "lib/schema/schema.h"

/* Returns a struct as a JSON object, which the caller releases. If a member that is not nullable is NULL (a
 * string, struct, object, or the name of an enum's value), the function aborts the process. */
json_t *schema_pack(const struct schema_struct *s, const void *value);

/* Returns a struct as compact JSON text with sorted keys, so that equal structs have equal text: for
 * comparison, hashes and files. *ret_size is its length in bytes; 'ret_size' may be NULL. The caller frees
 * the text. */
char *schema_pack_text(const struct schema_struct *s, const void *value, size_t *ret_size);
