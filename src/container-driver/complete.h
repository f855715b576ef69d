/* Adds this machine's own facts to the runtime's description of a container. */
#pragma once

#include "container-driver/settings.h"
#include "lib/api/container_driver.h"

/* Sets in a container's description whether the container is adopted, and whether its lxcfs mounts differ
 * from those that a new container would have. */
void container_complete(const struct settings *settings, struct driver_container *c);
