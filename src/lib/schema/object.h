/* Releases, copies, compares and fills declared C structs. */
#pragma once

#include "lib/schema/schema.h"

/* Releases what the struct's members own (not the struct), leaving it zero; NULL is fine. */
void schema_done(const struct schema_struct *s, void *value);
/* The same and the struct itself. */
void schema_free(const struct schema_struct *s, void *value);

/* Deep copy into the zeroed '*ret'; the new one is the caller's. */
void schema_copy(const struct schema_struct *s, const void *value, void *ret);
bool schema_equal(const struct schema_struct *s, const void *a, const void *b);

/* Name of an enum's value, or its index by name (−EINVAL when unknown or NULL). */
const char *schema_enum_name(const struct schema_enum *en, int value);
int schema_enum_value(const struct schema_enum *en, const char *name);

/* Maps: the value for a key or NULL; set copies both. */
const char *schema_map_get(const struct schema_pair *map, size_t n, const char *key);
void schema_map_set(struct schema_pair **map, size_t *n, const char *key, const char *value);

/* A zeroed struct of 'size' bytes appended to an array of struct pointers ('array' is the address of the
 * array), returned; and a string, copied, appended to an array of strings. */
void *schema_append(void *array, size_t *n, size_t size);
void schema_append_string(char ***array, size_t *n, const char *value);

/* Size of one element of an array of this type. */
size_t schema_element_size(enum schema_type type);
