/* Describes what ends a conflict. */
#pragma once

#include "lib/api/container_driver.h"

/* Returns the end of a sentence about a container that has a replica's name and does not belong to this tree:
 * ": COMMAND …" if an adoption would end the conflict, else "". 'zone' reports whether the instance is a
 * zone's. The caller frees it. */
char *conflict_remedy(const struct driver_container *container, bool zone);
