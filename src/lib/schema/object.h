/* Releases, copies, compares and fills declared C structs. */
#pragma once

#include "lib/schema/schema.h"

/* Releases what the members of a struct own, but not the struct, and sets it to zero. 'value' may be NULL. */
void schema_done(const struct schema_struct *s, void *value);
/* Releases what the members of a struct own, and frees the struct. 'value' may be NULL. */
void schema_free(const struct schema_struct *s, void *value);

/* Copies a struct with everything that its members own into '*ret', which must be zero. The caller releases
 * the copy with schema_done(). */
void schema_copy(const struct schema_struct *s, const void *value, void *ret);
/* Reports whether two structs have equal JSON. */
bool schema_equal(const struct schema_struct *s, const void *a, const void *b);

/* Returns the name of an enum's value. 'value' must be a valid index. */
const char *schema_enum_name(const struct schema_enum *en, int value);
/* Returns the index of a name, or −EINVAL if 'name' is NULL or not one of the enum's names. */
int schema_enum_value(const struct schema_enum *en, const char *name);

/* Returns the value for a key (borrowed), or NULL if the map does not contain the key. */
const char *schema_map_get(const struct schema_pair *map, size_t n, const char *key);
/* Sets the value for a key, which it replaces or adds. Copies both strings. */
void schema_map_set(struct schema_pair **map, size_t *n, const char *key, const char *value);

/* Appends a new struct of 'size' bytes, set to zero, to an array of pointers to structs. 'array' is the
 * address of the array's pointer. Returns the struct, which the array owns. */
void *schema_append(void *array, size_t *n, size_t size);
/* Appends a copy of 'value' to an array of strings. */
void schema_append_string(char ***array, size_t *n, const char *value);

/* Returns the size in bytes of one item of an array of this type. */
size_t schema_element_size(enum schema_type type);
