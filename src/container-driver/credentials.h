/* Credentials for registries, from a file in the form of Docker's config.json. */
#pragma once

#include "lib/basic/error.h"

/* The value of the header X-Registry-Auth for a registry ("docker.io", "registry.example:5000") according to
 * the file's text, which 'path' names in errors; *ret is NULL when the file has nothing for it. Refused: a
 * file that is no such JSON, and credential helpers (credsStore, credHelpers) where they would have to
 * answer. The caller frees; never log it. */
int credentials_find(const char *text, size_t size, const char *path, const char *domain, char **ret,
                     struct error *e);

/* The same with the file read; an empty path and a missing file are no credentials. */
int credentials_read(const char *path, const char *domain, char **ret, struct error *e);
