/* The state of the process: the app path, the store of packages and the jobs that run. */
#pragma once

#include "lib/loop/work.h"
#include "lib/service/file_watch.h"
#include "lib/service/service.h"

struct deletion;

struct manager {
    sd_event *event;
    const struct tree *tree; /* the service context's; for the loop only */
    char *apps;              /* the app path; the threads use copies */
    char *packages;          /* VAR/ipk_install; the threads use copies */
    uint64_t package_entries_max;
    struct wall_guard *wall; /* the service context's */
    uint64_t keep_removed_usec;
    char *lock_path;
    int lock_fd;                   /* lock on the app path: one provisioner works in it at a time */
    struct file_watch *lock_watch; /* of the lock */
    struct workers *jobs;          /* requests of callers; one job per container at a time */
    struct workers *deletions;     /* deletions of hidden trees; no request waits for this pool */
    struct deletion *pending;      /* list of deletions; see deletion.h */
};

int manager_start(struct service_context *context, struct error *e);
bool manager_busy(void *userdata);
void manager_stop(void *userdata);

/* Starts the deletion of kept data that is older than the key keep_removed allows. 0 there keeps it for
 * ever. */
void manager_expire(struct manager *manager);
