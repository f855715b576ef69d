/* Implements crash.h. */
#include "reconciler/rules/crash.h"

#include <stdlib.h>

#include "lib/basic/util.h"

void crash_add_exit(struct crash_exits *exits, int64_t now)
{
    exits->at[0] = exits->at[1];
    exits->at[1] = exits->at[2];
    exits->at[2] = now;
    if (now - exits->at[0] >= CRASH_WINDOW_MSEC)
        exits->at[0] = 0;
}

bool crash_is_looping(const struct crash_exits *exits, int64_t now)
{
    return exits->at[0] != 0 && now - exits->at[2] < CRASH_WINDOW_MSEC;
}

char *crash_message(const char *reason, char *const *lines, size_t n_lines)
{
    char *text = xasprintf("exits again and again, the last time: %s", reason);
    for (size_t i = 0; i < n_lines; i++) {
        char *longer = xasprintf("%s%s%s", text, i ? "\n" : ":\n", lines[i]);
        free(text);
        text = longer;
    }
    return text;
}
