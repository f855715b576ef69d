/* Limits the time of a command (--timeout): everything that it does counts, from reading its files to the
 * last reply. hostletctl exits with EXIT_TIMEOUT at the latest a moment after the limit, wherever it waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Begins the limit, in microseconds from now. */
void limit_begin(uint64_t usec);
/* Sets what the message at the end of the limit says: "SUBJECT: not done within 3 s; WHAT". 'subject' may be
 * NULL. Has no effect without a limit. */
void limit_say(const char *subject, const char *what);

/* Returns the microseconds that are left, at most 'usec' and at least 1; 'usec' if the command has no limit.
 */
uint64_t limit_cut(uint64_t usec);
/* From now on limit_cut() returns at most a part of what is left, so that a service that does not reply
 * leaves time for those that are called after it. 1: all of it. */
void limit_divide(unsigned parts);
bool limit_is_set(void);
bool limit_is_over(void);
/* Prints that the command was not done within the limit. Returns EXIT_TIMEOUT. */
int limit_fail(void);
