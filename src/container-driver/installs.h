/* The install directories of packages, which become mounts: whether they are what hostlet published. */
#pragma once

#include "container-driver/settings.h"
#include "lib/api/container_driver.h"

/* Each package's install directory must be reached from the store by directories alone, without a link, and
 * all of them must be root's, so that nobody else can put another thing in their place before, or while, the
 * container runs. RETRY: it is not there. REFUSED: it is something else; the message names the path. The
 * names were checked (spec.h). */
int installs_check(const struct settings *settings, const struct driver_create_in *in, struct error *e);
