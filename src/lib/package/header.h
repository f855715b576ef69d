/* Reads and writes the start of a package file (.ipk): the four bytes "IPK1", the header's length (uint32,
 * little-endian) and the header (a Package as JSON). The data block follows: a tar archive, compressed as
 * release.compress states. (InnerStack contract, section 7.) */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"
#include "lib/package/compress.h"

#define PACKAGE_HEADER_MAX (1024 * 1024)
#define SHA256_HEX_SIZE    65 /* with the final NUL */

/* The members of a Package that hostlet uses. Strings are never NULL: absent ones are "". */
struct package {
    char *name;             /* metadata.name */
    char *metadata_version; /* metadata.version: the version without rebuild suffix */
    char *description;
    char *homepage;
    char *repository;
    char *license;
    char *version; /* release.version */
    char *os;
    char *arch;
    int64_t built;                /* unix time in seconds; 0: unknown */
    uint64_t size;                /* bytes of the data block; 0: unknown */
    char sha256[SHA256_HEX_SIZE]; /* of the data block, in lower case */
    enum compression compression;
    char *id; /* derived from name, version, os and arch */
};

struct package *package_free(struct package *p);
DEFINE_CLEANUP(struct package *, package_free);
#define _cleanup_package_ _cleanup_(cleanup_package_free)

/* Parses a Package from JSON. Names, version, platform and checksum are required and checked; unknown
 * members are ignored. The message names the member. The caller frees *ret. */
int package_from_json(const json_t *json, struct package **ret, struct error *e);

/* Converts a Package to JSON, in the member order of the original builder. The caller drops the reference. */
json_t *package_to_json(const struct package *p);

/* Reads the start of a package file. *ret_offset is where the data block begins, *ret_size its length in
 * the file. If that length differs from release.size, the file is truncated or has trailing data and is
 * refused. 'what' names the file in messages. The descriptor's position is neither used nor changed. */
int package_header_read(int fd, const char *what, struct package **ret, uint64_t *ret_offset,
                        uint64_t *ret_size, struct error *e);

/* Writes magic, length and header at the descriptor's position. */
int package_header_write(int fd, const struct package *p, struct error *e);
