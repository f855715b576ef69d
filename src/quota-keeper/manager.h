/* The state of the process: the registry, the requests and questions in progress, and the watchers.
 *
 * manager.c starts and ends the process, requests.c executes changes, sweep.c rechecks everything,
 * questions.c answers calls that change nothing, watch.c reports levels. All work is done in threads; the
 * loop decides the order: one request of a container at a time, and the changes of the registry in batches,
 * so that two hundred replicas cost a few writes and not hundreds.
 *
 * A tenant chooses how many files a walk visits, so short work never waits behind a long walk: the pool
 * 'jobs' does what is short, 'walks' the walks that proved to be long and have a waiting caller, and
 * 'background' what visits every file for an administrator. */
#pragma once

#include "lib/loop/timer.h"
#include "lib/loop/work.h"
#include "lib/service/service.h"
#include "quota-keeper/registry.h"

struct quota_values;
struct request;
struct question;
struct sweep;

struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
};

struct manager {
    sd_event *event;
    struct registry registry;
    char *apps, *ledger_path, *lock_path;
    struct workers *jobs, *walks, *background;
    bool recovered;           /* until then every call but Info waits */
    struct request *requests; /* in the order of their arrival */
    bool registering;         /* a batch is in progress */
    struct question *waiting; /* questions that wait for the recovery */
    struct sweep *sweeps;     /* at most one for ids and one for a caller run at a time */
    /* Monotonic microseconds at which a sweep last found no free id; 0: never. */
    uint64_t reclaimed_in_vain;
    struct watcher *watchers;
    uint64_t check_usec; /* 0: no checks */
    struct timer check_timer;
};

int manager_start(struct service_context *context, struct error *e);
bool manager_busy(void *userdata);
void manager_stop(void *userdata);

/* Logs the notes and clears them. */
void manager_tell(struct notes *notes);
