/* Ends the process when it lacks the group of Docker's socket. */
#pragma once

#include "container-driver/docker/docker.h"

/* Is called when permission was denied. Ends the process if the socket has a group that the process was not
 * started with (Docker was started after it, or installed anew): the next start takes that group. */
void docker_check_group(struct docker *d);
