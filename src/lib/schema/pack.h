/* Writes declared C structs as JSON. */
#pragma once

#include "lib/schema/schema.h"

/* The JSON object of a struct; the caller releases it. Members that must be there and are not are a bug:
 * aborts. */
json_t *schema_pack(const struct schema_struct *s, const void *value);

/* Compact text with sorted keys, for comparison, hashing and files. The caller frees. */
char *schema_pack_text(const struct schema_struct *s, const void *value, size_t *ret_size);
