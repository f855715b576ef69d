/* Which seccomp profile containers get on Docker. */
#pragma once

#include <jansson.h>

#include "container-driver/docker/docker.h"

/* What the answers to /version and /info say of seccomp; what it means for containers is
 * logged when it changes. */
void docker_learn_version(struct docker *d, json_t *version);
void docker_learn_info(struct docker *d, json_t *info);
void docker_forget_engine(struct docker *d);
/* Whether containers get the profile of the settings. If not, *ret_why says why, or is NULL: they are not to.
 */
bool docker_takes_profile(const struct docker *d, const char **ret_why);
/* Fills the members of the answer that say so. */
void docker_tell_seccomp(const struct docker *d, struct driver_info_out *info);
