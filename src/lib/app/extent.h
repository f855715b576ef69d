/* Checks the size of an instance. */
#pragma once

#include "lib/api/app.h"

/* Checks that a manifest, also a zone's, is small enough for this machine; called before the checks of its
 * members. Returns 0 or −E2BIG (refused). 'root' is "/app" if messages point into a manifest, else "". */
int app_check_extent(const struct app_manifest *manifest, const char *root, struct error *e);
