/* Notices a new app_replica.json without polling. */
#pragma once

#include <stdbool.h>

#include "inagent/environment.h"

#define SPEC_NAME "app_replica.json"

struct watch {
    char *path;  /* the directory that holds the file */
    int inotify; /* −1: the kernel gave us none, and directory notification (SIGIO) stands in for it */
    int directory;
    uint64_t device, inode, size; /* of the file last read, with when it was changed */
    int64_t seconds, nanoseconds;
};

#define WATCH_INIT                                                                                           \
    {                                                                                                        \
        .inotify = -1, .directory = -1                                                                       \
    }

/* Begins to watch directory 'path', which is made if it is missing. Fails only when it cannot be made or
 * watched at all. */
int watch_begin(struct watch *watch, const char *path, struct error *e);

/* After the descriptor was readable, or SIGIO came: takes what is there, and watches anew when the directory
 * itself was moved or removed. */
void watch_drain(struct watch *watch);

/* Whether the file is another one than at the last call; false when there is none. */
bool watch_changed(struct watch *watch);

void watch_end(struct watch *watch);
