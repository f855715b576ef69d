/* Detects a new app_replica.json without polling. */
#pragma once

#include <stdbool.h>

#include "inagent/environment.h"

#define SPEC_NAME "app_replica.json"

struct watch {
    char *path; /* the directory that contains the file */
    /* −1: no inotify instance is available, and directory notification (SIGIO) replaces it. */
    int inotify;
    int directory;
    uint64_t device, inode, size; /* of the file at the last call, with its modification time */
    int64_t seconds, nanoseconds;
};

#define WATCH_INIT                                                                                           \
    {                                                                                                        \
        .inotify = -1, .directory = -1                                                                       \
    }

/* Begins to watch the directory 'path' and makes it if it is missing. Fails only if it cannot be made, or
 * watched in either way. */
int watch_begin(struct watch *watch, const char *path, struct error *e);

/* Reads the events after the descriptor became readable or SIGIO arrived, and watches anew if the
 * directory itself was moved or removed. */
void watch_drain(struct watch *watch);

/* Reports whether the file differs from that of the last call; false if there is none. */
bool watch_changed(struct watch *watch);

void watch_end(struct watch *watch);
