/* Reads credentials for registries from a file in the form of Docker's config.json. */
#pragma once

#include "lib/basic/error.h"

/* Finds the credentials of a registry ("docker.io", "registry.example:5000") in 'text', the content of the
 * file 'path' (which only errors name). *ret is the value of the header X-Registry-Auth, or NULL when the
 * file contains no credentials for the registry. The caller frees *ret and must not log it. Returns 0, or a
 * negative errno (refused) when the text is not JSON of this form, or when only a credential helper
 * (credsStore, credHelpers) could supply the credentials. */
int credentials_find(const char *text, size_t size, const char *path, const char *domain, char **ret,
                     struct error *e);

/* Reads the file 'path' and does the same. An empty path or a file that does not exist means that there are
 * no credentials. */
int credentials_read(const char *path, const char *domain, char **ret, struct error *e);

/* Checks the file 'path' for all registries: its JSON, and the form of each "auth". Credentials that only a
 * helper could supply are no mistake, because they may be for registries that hostlet does not use. Returns
 * 0, also if the file does not exist, or a negative errno (refused). */
int credentials_check(const char *path, struct error *e);
