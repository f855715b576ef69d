/* The process's state: where the replicas lie, and the work that goes on. */
#pragma once

#include "lib/loop/work.h"
#include "lib/service/service.h"

struct deletion;

struct manager {
    sd_event *event;
    const struct tree *tree; /* the context's; of the loop alone */
    char *apps;              /* the app path; for the threads too */
    char *packages;          /* VAR/ipk_install; for the threads too */
    uint64_t package_entries_max;
    uint64_t keep_removed_usec;
    char *lock_path;
    int lock_fd;               /* one provisioner per app path */
    struct workers *jobs;      /* what callers wait for; by container */
    struct workers *deletions; /* of trees that nobody finds any more: nothing waits behind them */
    struct deletion *pending;  /* deletion.h */
};

int manager_start(struct service_context *context, struct error *e);
bool manager_busy(void *userdata);
void manager_stop(void *userdata);

/* Begins to delete kept data that has been kept long enough. */
void manager_expire(struct manager *manager);
