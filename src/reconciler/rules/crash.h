/* Detects crash loops: three exits without a request within a minute are one; a minute without an exit ends
 * it. Only time for which the container runs counts, not the runtime's pauses after an exit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_WINDOW_MSEC INT64_C(60000)

/* The last three exits without a request, the oldest first: milliseconds of running time; 0: none. */
struct crash_exits {
    int64_t at[3];
};

/* Adds an exit at 'now', and drops the oldest one. */
void crash_add_exit(struct crash_exits *exits, int64_t now);

/* Reports whether the replica is in a crash loop at 'now'. */
bool crash_is_looping(const struct crash_exits *exits, int64_t now);

/* Makes the text that describes a crash loop: the reason of the last exit (rules/exit_reason.h) and the
 * application's last lines. The caller frees it. */
char *crash_message(const char *reason, char *const *lines, size_t n_lines);
