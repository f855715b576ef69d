/* Determines which seccomp profile containers get on Docker. */
#pragma once

#include <jansson.h>

#include "container-driver/docker/docker.h"

/* Store what the responses to /version and /info state about the engine. docker_learn_info() logs which
 * profile containers get, when it changes; docker_forget_engine() drops the state when Docker is down. */
void docker_learn_version(struct docker *d, json_t *version);
void docker_learn_info(struct docker *d, json_t *info);
void docker_forget_engine(struct docker *d);
/* Reports whether containers get the configured profile. If not, *ret_why is the engine's reason, or NULL
 * when the settings have none. */
bool docker_takes_profile(const struct docker *d, const char **ret_why);
/* Fills 'seccomp' and 'seccomp_reason' of Info's reply. */
void docker_tell_seccomp(const struct docker *d, struct driver_info_out *info);
