/* Makes a package file from a directory, reproducibly: the same input gives the same bytes.
 *
 * Entries are sorted by name, owned by nobody in particular (0:0 without names) and carry one time,
 * SOURCE_DATE_EPOCH's or 1980-01-01 (the day before which zip and some file systems cannot go).
 * ".ipk/metadata.json" within describes the package; a ".ipk" in the directory itself is left out. */
#pragma once

#include "lib/package/header.h"

struct package_build_options {
    const char *directory;
    const char *output_directory;
    const char *name, *version, *os, *arch;                    /* checked here */
    const char *description, *license, *homepage, *repository; /* may be NULL */
    enum compression compression;
    int level;    /* −1: the compression's default */
    int64_t time; /* unix time of every entry and of release.built; −1: 1980-01-01 */
    /* Told about what was changed on the way in (setuid bits dropped, hard links stored as copies). May be
     * NULL. */
    void (*note)(void *userdata, const char *message);
    void *userdata;
};

/* SOURCE_DATE_EPOCH from the environment: 0 and the time, or −1 in *ret when it is not set; an unusable one
 * is refused. */
int package_build_time(int64_t *ret, struct error *e);

/* Writes {output_directory}/{id}.ipk, replacing one that is there, atomically. Devices, fifos and sockets are
 * refused. The caller frees *ret_path and *ret_package. */
int package_build(const struct package_build_options *options, char **ret_path, struct package **ret_package,
                  struct error *e);
