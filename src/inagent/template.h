/* Expands templates: replaces "${KEY}" in a text by the value of KEY. */
#pragma once

#include <stddef.h>

/* Returns the value of the key of 'n' bytes (borrowed), or NULL if there is no such key. */
typedef const char *(*template_lookup_fn)(void *context, const char *key, size_t n);

/* Expands 'text' in one pass: values are inserted without being expanded. An unknown key stays as written,
 * so that the shell's own ${VAR} and ${VAR:-${app.name}} are preserved (in the latter, the inner key is
 * expanded). The caller frees the result. */
char *template_expand(const char *text, template_lookup_fn lookup, void *context);

/* Returns 'text' without white space at both ends. The caller frees it. */
char *template_trim(const char *text);
