/* The process's state: the registry, the work that goes on, who watches.
 *
 * manager.c starts and ends it, requests.c does what changes something, sweep.c rechecks everything,
 * questions.c only looks, watch.c tells of levels. All work is done in threads; the loop puts it in order:
 * one request of a container at a time, and the changes of the registry in batches, so that two hundred
 * replicas cost a few writes and not hundreds.
 *
 * How many files there are to walk over is the tenant's choice, so nobody waits behind a walk who need not:
 * the threads of 'jobs' do what is short, those of 'walks' what turned out to be long and is waited for, the
 * one of 'background' what an administrator asks about all of it. */
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
    bool recovered;           /* until then everything but Info waits */
    struct request *requests; /* in the order in which they came */
    bool registering;         /* a batch is under way */
    struct question *waiting; /* for the recovery */
    struct sweep *sweeps;     /* at most one for ids and one of a caller are under way */
    uint64_t
        reclaimed_in_vain; /* when a sweep for free ids last found none, monotonic microseconds; 0: never */
    struct watcher *watchers;
    uint64_t check_usec; /* 0: no checks */
    struct timer check_timer;
};

int manager_start(struct service_context *context, struct error *e);
bool manager_busy(void *userdata);
void manager_stop(void *userdata);

/* To the log, and away. */
void manager_tell(struct notes *notes);
