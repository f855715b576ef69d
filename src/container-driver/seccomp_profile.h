/* Builds hostlet's own seccomp profile for containers, in the form that Docker accepts in SecurityOpt (that
 * of Docker's default.json). */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

/* Returns the profile as compact JSON; the caller frees. Each call builds it again, so that a caller stores
 * it. */
char *seccomp_profile_text(void);
