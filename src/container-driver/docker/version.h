/* Chooses the version of Docker's API. */
#pragma once

#include "lib/basic/error.h"

/* The supported versions: 1.40 is Docker 19.03; up to 1.51, no request that the driver uses has changed. */
#define DOCKER_API_MIN "1.40"
#define DOCKER_API_MAX "1.51"

/* Returns in *ret the newest version that Docker and hostlet support, from Docker's "ApiVersion" and
 * "MinAPIVersion" (may be NULL); the caller frees. Returns 0, −EPROTONOSUPPORT (not supported) when there is
 * none, or −EPROTO (failed) when a version is malformed. */
int docker_choose_version(const char *newest, const char *oldest, char **ret, struct error *e);
/* Reports whether a version is 'least' or newer. NULL, and what is no version, is older. */
bool docker_version_is(const char *version, const char *least);
