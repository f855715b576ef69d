/* Exits in a row: three exits within a minute that nobody asked for are a crash loop; a minute without one
 * ends it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_WINDOW_MSEC INT64_C(60000)

/* The last exits of a replica that nobody asked for, the oldest first: unix milliseconds; 0: none. All zero
 * is no exit. */
struct crash_exits {
    int64_t at[3];
};

/* Adds an exit. */
void crash_add_exit(struct crash_exits *exits, int64_t now);

/* Tells whether the replica is in a crash loop at the time 'now'. */
bool crash_is_looping(const struct crash_exits *exits, int64_t now);

/* Makes the text that is shown of a crash loop: the last exit code, and what the application wrote last. The
 * caller frees. */
char *crash_message(int64_t exit_code, char *const *lines, size_t n_lines);
