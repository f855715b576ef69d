/* Starts syncing the file system while the last part of a package is still being unpacked. The disk is mostly
 * idle then, and the final sync has less left to write. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct early_sync {
    pthread_t thread;
    bool started;
    int fd; /* any file of the file system; borrowed */
    int result;
};

/* Starts the sync in a thread, once. If no thread can be created, nothing happens. */
void early_sync_start(struct early_sync *s, int fd);

/* Waits for the thread. Returns 0 (also if no sync was started) or a negative errno. The kernel reports a
 * failed write only to the first sync after it, so the caller must check this result as well as that of the
 * final sync. */
int early_sync_finish(struct early_sync *s);
