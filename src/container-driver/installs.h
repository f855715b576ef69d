/* Checks the install directories of packages before they become mounts of a container. */
#pragma once

#include "container-driver/settings.h"
#include "lib/api/container_driver.h"

/* Checks that the path from the install store to each package's install directory consists of directories
 * without symbolic links, that root owns each of them, and that only the owner can write to them. Otherwise
 * another user could replace a directory before or while the container runs. Returns 0, −ENOENT (retry) when
 * a directory does not exist, or a negative errno (refused) when the path contains something else; the
 * message names the path. The caller has checked the names (spec.h). */
int installs_check(const struct settings *settings, const struct driver_create_in *in, struct error *e);
