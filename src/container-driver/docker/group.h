/* Exits when the process lacks the group of Docker's socket. */
#pragma once

#include "container-driver/docker/docker.h"

/* Ends the event loop with EXIT_FAILED when the socket has a group that the process does not have, because
 * Docker was started later or installed again. The restarted process gets the group. Call it when the
 * permission to connect was denied. */
void docker_check_group(struct docker *d);
