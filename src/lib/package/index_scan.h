/* Makes the index of a directory of packages. */
#pragma once

#include "lib/package/index.h"

enum package_scan {
    PACKAGE_SCAN_HEADERS, /* reads headers alone: 'sha256' stays "" */
    PACKAGE_SCAN_VERIFY,  /* reads every file whole: 'sha256' is known, and the data block's checksum is right
                           */
};

/* Makes an index of the .ipk files in a directory and in its direct subdirectories ("name/id.ipk"); hidden
 * ones and symbolic links are left out. A file that is no package is refused, naming it; with 'skipped', it
 * is told to it instead and left out. */
int package_index_scan(int directory, enum package_scan scan,
                       void (*skipped)(void *userdata, const struct error *why), void *userdata,
                       struct package_index **ret, struct error *e);

/* Scans with verification and replaces {directory}/index.json, mode 0644, atomically. *ret_items counts what
 * is in it. */
int package_index_write(const char *directory, size_t *ret_items, struct error *e);
