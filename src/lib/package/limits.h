/* Limits of a package's content; a package that exceeds one is refused. Each process can configure them. */
#pragma once

#include <stdint.h>

struct package_limits {
    uint64_t size;    /* bytes of the unpacked archive, and of its files together */
    uint64_t entries; /* files, directories and links */
    uint64_t path;    /* bytes of an entry's name or of a link's target */
    uint64_t depth;   /* nesting of directories */
    /* Maximum of unpacked bytes per packed byte; it applies once more than 'ratio_from' bytes are
     * unpacked. */
    uint64_t ratio;
    uint64_t ratio_from;
    /* Bytes and files (inodes, if their number is fixed) that must stay free on the filesystem. */
    uint64_t free_space;
    uint64_t free_files;
};

#define PACKAGE_LIMITS_DEFAULT                                                                               \
    ((struct package_limits){                                                                                \
        .size = UINT64_C(8) << 30,                                                                           \
        .entries = 500000,                                                                                   \
        .path = 4095,                                                                                        \
        .depth = 256,                                                                                        \
        .ratio = 200,                                                                                        \
        .ratio_from = UINT64_C(64) << 20,                                                                    \
        .free_space = UINT64_C(256) << 20,                                                                   \
        .free_files = 4096,                                                                                  \
    })
