/* Computes the pauses between corrections of what another program changes, so that two programs that each
 * undo what the other one does spend no processor time on it. Pure functions: the caller passes the time, in
 * monotonic microseconds. */
#pragma once

#include "lib/basic/util.h"

/* Zero-initialized: there was no correction. */
struct damp {
    unsigned n;    /* corrections in a row */
    uint64_t last; /* the time of the last one */
};

/* Returns the microseconds until the next correction may be made. The first one is made at once, the pauses
 * after it grow from 100 ms to a minute. */
uint64_t damp_wait(const struct damp *damp, uint64_t now);
/* Counts a correction. After a calm of ten seconds, and of two pauses, a new row begins. */
void damp_count(struct damp *damp, uint64_t now);
/* Reports whether so many corrections followed each other that another program must be acting against them.
 */
bool damp_is_fight(const struct damp *damp, uint64_t now);
