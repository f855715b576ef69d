/* The seccomp profile that containers of ours get, in the form that Docker takes in SecurityOpt (that of its
 * own default.json). */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

/* Ours, as compact JSON; the caller frees. It is built anew at each call, so build it once. */
char *seccomp_profile_text(void);
