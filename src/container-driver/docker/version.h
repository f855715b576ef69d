/* Which version of Docker's API is spoken. */
#pragma once

#include "lib/basic/error.h"

/* What this driver was written for: 1.40 is Docker 19.03; of newer ones nothing that we use has changed. */
#define DOCKER_API_MIN "1.40"
#define DOCKER_API_MAX "1.51"

/* The newest version that both sides speak, from the daemon's "ApiVersion" and "MinAPIVersion" (may be NULL);
 * the caller frees. NOT_SUPPORTED when there is none. */
int docker_choose_version(const char *newest, const char *oldest, char **ret, struct error *e);
