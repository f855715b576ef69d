/* What this machine knows of a container besides what its runtime says. */
#pragma once

#include "container-driver/settings.h"
#include "lib/api/container_driver.h"

/* Adds to a container that a runtime described: whether it is an adopted one, and whether its lxcfs files are
 * as the settings want them. */
void container_complete(const struct settings *settings, struct driver_container *c);
