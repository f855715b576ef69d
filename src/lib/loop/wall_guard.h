/* Decides whether the wall clock is good enough to let durable objects expire.
 *
 * A clock that is wrong by weeks would delete what is a day old. So nothing expires while the clock stands
 * before the newest time in the caller's own records, nor within an hour after the clock was set forward by
 * more than a day. A guard detects that by comparing the wall clock with CLOCK_BOOTTIME, which nobody can set
 * and which counts the time of a suspend. It is stored nowhere: hostletd has a guard for its whole run, and
 * passes it to each process that it starts (WALL_GUARD_VARIABLE), so that a process that is started on demand
 * knows what happened before its start. */
#pragma once

#include "lib/loop/clock.h"

#define WALL_GUARD_VARIABLE "HOSTLET_CLOCK"

struct wall_guard {
    struct clock *clock;
    int64_t offset_usec;  /* wall clock minus CLOCK_BOOTTIME, when the guard last compared them */
    uint64_t jumped_usec; /* CLOCK_BOOTTIME, when the last jump forward was noticed; 0: none was */
};

/* Begins a guard. 'clock' is borrowed. 'inherited' is the text of another process's guard; NULL or an invalid
 * text: the guard knows of no earlier jump. */
void wall_guard_init(struct wall_guard *guard, struct clock *clock, const char *inherited);

/* Compares the clocks. Returns true if the wall clock was set forward by more than a day since the last
 * comparison. */
bool wall_guard_compare(struct wall_guard *guard);

/* Returns the text for another process. The caller frees it. */
char *wall_guard_text(const struct wall_guard *guard);

/* Compares the clocks, and returns the unix second before which objects that are kept for 'keep_usec' have
 * expired. 'newest' is the newest unix second in the caller's records. Returns −1 if nothing may expire, and
 * sets *ret_why to the reason; else *ret_why is NULL. */
int64_t wall_guard_expiry(struct wall_guard *guard, uint64_t keep_usec, int64_t newest, const char **ret_why);
