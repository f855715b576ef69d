/* Uses lxcfs: a file system whose files show a container its own limits in /proc in place of the machine's.
 */
#pragma once

#include "container-driver/spec.h"

/* Reports whether lxcfs is enabled in the settings and usable: a file system is mounted at its path, and the
 * process that serves it responds. */
bool lxcfs_available(const struct settings *settings);

/* The paths of the files in a container (contract, section 5); ends with NULL. Below the mount point of lxcfs
 * they have the same names. */
extern const char *const lxcfs_targets[];
