/* Derives from an image's name what its containers do in the null runtime:
 *
 *   missing/ANY           is not present, and no registry has it
 *   pull/ANY              is not present until it is pulled
 *   null/exit-N           exits with code N right after each start
 *   null/exit-N-after-MS  exits with code N that many milliseconds after each start
 *   null/start-fails      cannot be started
 *   null/slow:MS          each start, stop and pull takes that many milliseconds
 *   null/volume-NAME      has the VOLUME /NAME
 *   null/anonymous-NAME   its containers have an anonymous volume at /NAME, as those of an image with a
 * VOLUME that were made before hostlet had volumes; with the tag copy-fails it cannot be copied null/uses:MIB
 * uses that many MiB of memory while it runs any other name        is present, and runs until it is stopped
 */
#pragma once

#include "lib/basic/error.h"

struct null_behaviour {
    bool missing, pulled, exits, start_fails;
    int exit_code;
    uint64_t exit_after_usec, slow_usec;
    char volume[64], anonymous[64]; /* "": none */
    bool copy_fails;
    int64_t memory; /* bytes in use */
};

/* Returns the behaviour of an image. */
struct null_behaviour null_behaviour_of(const char *reference);
