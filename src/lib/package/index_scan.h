/* Makes the index of a directory of packages. */
#pragma once

#include "lib/package/index.h"

enum package_scan {
    /* Reads only the headers: 'sha256' stays "". */
    PACKAGE_SCAN_HEADERS,
    /* Reads whole files: sets 'sha256', and refuses a file whose data block does not match its checksum. */
    PACKAGE_SCAN_VERIFY,
};

/* Makes an index of the .ipk files in a directory and in its direct subdirectories ("name/id.ipk"). Hidden
 * entries and symbolic links are omitted. An invalid package file is refused, with a message that names
 * it; with 'skipped', the scan calls this function instead and omits the file. */
int package_index_scan(int directory, enum package_scan scan,
                       void (*skipped)(void *userdata, const struct error *why), void *userdata,
                       struct package_index **ret, struct error *e);

/* Scans with verification and replaces {directory}/index.json (mode 0644) atomically. *ret_items is the
 * number of its items. */
int package_index_write(const char *directory, size_t *ret_items, struct error *e);
