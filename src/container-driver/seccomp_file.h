/* A seccomp profile of the administrator's, read and checked. */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

/* Reads a profile of the administrator's: absolute path; a regular file of root's (or of who runs this
 * process) that nobody else may write, and a profile as far as that can be told: Docker looks at it only when
 * a container starts. *ret is compact JSON, the caller frees. Refused: what is wrong with it, naming the
 * file. */
int seccomp_profile_read(const char *path, char **ret, struct error *e);

/* The same check of a text that is there; 'name' begins the message. */
int seccomp_profile_check(json_t *profile, const char *name, struct error *e);
