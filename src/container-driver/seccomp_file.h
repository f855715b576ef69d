/* Reads and checks an administrator's seccomp profile. */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

/* Reads a profile from an absolute path. The file must be regular, root or this process's user must own it,
 * and only the owner may write it. The function checks the profile's form as far as possible without Docker,
 * which checks a profile only when a container starts. *ret is compact JSON; the caller frees. Returns 0, or
 * a negative errno (refused); the message names the file and the mistake. */
int seccomp_profile_read(const char *path, char **ret, struct error *e);

/* Checks the form of a profile in the same way; 'name' begins the message. */
int seccomp_profile_check(json_t *profile, const char *name, struct error *e);
