/* What an image of the null runtime does, by its name:
 *
 *   missing/ANY           is not there, and no registry has it
 *   pull/ANY              is not there until it was pulled
 *   null/exit-N           exits with code N right after each start
 *   null/exit-N-after-MS  exits with code N that many milliseconds after each start
 *   null/start-fails      cannot be started
 *   null/slow:MS          its start and stop, and its pull, take that many milliseconds
 *   anything else         is there, and runs until it is stopped */
#pragma once

#include "lib/basic/error.h"

struct null_behaviour {
    bool missing, pulled, exits, start_fails;
    int exit_code;
    uint64_t exit_after_usec, slow_usec;
};

struct null_behaviour null_behaviour_of(const char *reference);
