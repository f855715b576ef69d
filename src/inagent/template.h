/* Templates: "${KEY}" in a text is replaced by the value of KEY. */
#pragma once

#include <stddef.h>

/* The value of the key of 'n' bytes (borrowed), or NULL when there is no such key. */
typedef const char *(*template_lookup_fn)(void *context, const char *key, size_t n);

/* One pass over 'text': values are inserted as they are and not looked at again. What is not a known key
 * stays as written, so that the shell's own ${VAR} and ${VAR:-${app.name}} survive (the inner one of the
 * latter is expanded). The caller frees. */
char *template_expand(const char *text, template_lookup_fn lookup, void *context);

/* The part of 'text' without white space at both ends. The caller frees. */
char *template_trim(const char *text);
