/* Detects new files of hostlet, such as app_replica.json, without polling. */
#pragma once

#include <stdbool.h>

#include "inagent/environment.h"

#define SPEC_NAME "app_replica.json"

/* A file as it was when it was last looked at; zeros: it did not exist. */
struct watch_file {
    uint64_t device, inode, size;
    int64_t seconds, nanoseconds; /* of its modification */
};

struct watch {
    char *path; /* the directory that contains the file */
    /* −1: no inotify instance is available, and directory notification (SIGIO) replaces it. */
    int inotify;
    int directory;
    struct watch_file spec;
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

/* Reports whether SPEC_NAME differs from that of the last call; false if there is none. */
bool watch_changed(struct watch *watch);
/* Reports the same of another file of the directory, and keeps in *seen what it has seen. */
bool watch_file_changed(const struct watch *watch, const char *name, struct watch_file *seen);

void watch_end(struct watch *watch);
