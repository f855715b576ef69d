/* lxcfs: files that show a container its own limits in /proc, in place of the machine's. */
#pragma once

#include "container-driver/spec.h"

/* Whether it is wanted and runs: its filesystem is mounted, and answers. */
bool lxcfs_available(const struct settings *settings);

/* Where its files appear in a container (contract, section 5); the list ends with NULL. Below the mount point
 * they have the same names. */
extern const char *const lxcfs_targets[];
