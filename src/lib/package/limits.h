/* What a package may ask of this machine; more is refused. Defaults in limits_default, configurable per
 * process. */
#pragma once

#include <stdint.h>

struct package_limits {
    uint64_t size;       /* bytes of the unpacked archive, and of its files together */
    uint64_t entries;    /* files, directories and links */
    uint64_t path;       /* bytes of an entry's name or of a link's target */
    uint64_t depth;      /* directories within each other */
    uint64_t ratio;      /* unpacked bytes per packed byte … */
    uint64_t ratio_from; /* … once more than this many are unpacked */
    uint64_t free_space; /* bytes that must stay free on the filesystem … */
    uint64_t free_files; /* … and files (inodes), where it has a fixed number of them */
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
