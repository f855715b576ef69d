/* From a package file to its content in staging, where it waits to be published: read, verify, write, sync,
 * rename.
 *
 * Pure work on descriptors, without event loop and configuration; blocks, and is therefore called in a
 * thread. */
#pragma once

#include <stdatomic.h>

#include "lib/basic/error.h"
#include "lib/package/limits.h"

/* Read by other threads while an extraction runs. */
struct extract_progress {
    atomic_ullong bytes_read;  /* of the package's data block */
    atomic_ullong bytes_total; /* of all of it; 0 until the header is read */
    atomic_ullong entries;
    atomic_bool cancel; /* set by others: the extraction ends with −ECANCELED */
};

struct extract_request {
    int package_fd;       /* the .ipk; borrowed */
    int store;            /* directory {store} of installs, which others write; borrowed */
    int staging;          /* {store}/.staging, ours; borrowed */
    const char *name;     /* of the package, checked */
    const char *id;       /* checked; the file must be this package */
    const char *checksum; /* "sha256:…" that its data block must have; NULL: the one of its header */
    struct package_limits limits;
    unsigned threads; /* for decoding xz; 0: two */
};

struct extract_result {
    uint64_t size; /* bytes of all files */
    uint64_t entries;
    bool existed;   /* it was there already; size and entries are 0 */
    bool published; /* as an install directory */
};

/* Leaves the package as {staging}/{id}, or finds it there or published; what fails leaves nothing behind.
 * Messages name the package and the entry. */
int extract_package(const struct extract_request *request, struct extract_progress *progress,
                    struct extract_result *ret, struct error *e);

/* Whether it is published or staged: 1, 0 or a negative errno. */
int extract_exists(const struct extract_request *request, bool *ret_published, struct error *e);

/* The failpoints of this and of staging.c, for failpoint_table(). */
extern const char *const unpacker_failpoints[];
