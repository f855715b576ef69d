/* Unpacks a package file into staging, where it waits to be published: reads, verifies, writes, syncs and
 * renames.
 *
 * The functions work on descriptors, without event loop and configuration. They block, so they are called in
 * a thread. */
#pragma once

#include <stdatomic.h>

#include "lib/basic/error.h"
#include "lib/package/limits.h"

/* Other threads read it while an extraction runs. */
struct extract_progress {
    atomic_ullong bytes_read;  /* of the package's data block */
    atomic_ullong bytes_total; /* the size of the data block; 0 until the header is read */
    atomic_ullong entries;
    atomic_bool cancel; /* set by other threads: the extraction returns −ECANCELED */
};

struct extract_request {
    int package_fd;   /* the package file; borrowed */
    int store;        /* the install store, which other processes write; borrowed */
    int staging;      /* {store}/.staging, which the unpacker owns; borrowed */
    const char *name; /* of the package, valid */
    const char *id;   /* valid; the file must contain this package */
    /* "sha256:…" that the data block must have. NULL: the checksum in the header. */
    const char *checksum;
    struct package_limits limits;
    unsigned threads; /* for decoding xz; 0: two */
};

struct extract_result {
    uint64_t size; /* bytes of all files */
    uint64_t entries;
    bool existed;   /* the package was unpacked already; size and entries are 0 */
    bool published; /* it is in the install store, not in staging */
};

/* Unpacks a package to {staging}/{key}, unless it is staged or published already. Leaves nothing behind after
 * a failure. Returns 0 or a negative errno with an error that names the package and the entry. */
int extract_package(const struct extract_request *request, struct extract_progress *progress,
                    struct extract_result *ret, struct error *e);

/* Reports whether the package is published or staged: 1, 0 or a negative errno. */
int extract_exists(const struct extract_request *request, bool *ret_published, struct error *e);

/* The failpoints of extract.c and staging.c, for failpoint_table(). */
extern const char *const unpacker_failpoints[];
