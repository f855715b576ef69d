/* A sync of the filesystem that begins while the last part of a package is still being unpacked: the disk is
 * idle then, and the sync at the end has little left to wait for. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct early_sync {
    pthread_t thread;
    bool started;
    int fd; /* any file of the filesystem; borrowed */
    int result;
};

/* Begins it, once; without a thread to spare nothing happens. */
void early_sync_start(struct early_sync *s, int fd);

/* Waits for it: 0, or a negative errno. The kernel reports a failed write to the first sync that asks, so
 * this one's answer counts as much as the last one's. */
int early_sync_finish(struct early_sync *s);
