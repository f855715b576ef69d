/* Makes a package file from a directory, reproducibly: the same input gives the same bytes.
 *
 * Entries are sorted by name, have the owner 0:0 without names, and carry one time, SOURCE_DATE_EPOCH's or
 * 1980-01-01 (the earliest that zip and some filesystems can store). The entry ".ipk/metadata.json"
 * describes the package; a ".ipk" in the directory itself is omitted. */
#pragma once

#include "lib/package/header.h"

struct package_build_options {
    const char *directory;
    const char *output_directory;
    const char *name, *version, *os, *arch;                    /* package_build() checks them */
    const char *description, *license, *homepage, *repository; /* may be NULL */
    enum compression compression;
    int level;    /* −1: the compression's default */
    int64_t time; /* unix time in seconds of every entry and of release.built; −1: 1980-01-01 */
    /* Receives a message about each kind of change to the input (setuid bits dropped, hard links stored as
     * copies). May be NULL. */
    void (*note)(void *userdata, const char *message);
    void *userdata;
};

/* Reads SOURCE_DATE_EPOCH. Sets *ret to the time, or to −1 if the variable is not set; returns 0, or
 * −EINVAL (refused) for an invalid value. */
int package_build_time(int64_t *ret, struct error *e);

/* Writes {output_directory}/{id}.ipk atomically and replaces an existing file. Refuses devices, fifos and
 * sockets. The caller frees *ret_path and *ret_package. */
int package_build(const struct package_build_options *options, char **ret_path, struct package **ret_package,
                  struct error *e);
