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

/* --- requests.c --- */
enum request_kind {
    REQUEST_ENSURE,
    REQUEST_RECHECK,
    REQUEST_RELEASE,
    REQUEST_REMOVE,
    REQUEST_REMOVE_IF_GONE
};
/* 'call' NULL: nobody waits for it. */
void request_begin(struct manager *m, enum request_kind kind, struct varlink_call *call,
                   const char *container, const struct kernel_limits *limits);
/* A recheck as a part of a sweep, which is told of its end. */
void request_begin_recheck(struct manager *m, const char *name, struct sweep *sweep);
/* Starts what can be started. */
void requests_run(struct manager *m);
/* What waits for a free id goes on: it is tried again, or ends with the failure that it had. */
void requests_reclaimed(struct manager *m, bool again);
void requests_free(struct manager *m);

/* --- sweep.c --- */
/* Looks at everything in the app path, for a caller (a stream), or without one until some ids are free. */
void sweep_begin(struct manager *m, struct varlink_call *call);
void sweep_reclaim(struct manager *m);
bool sweep_is_for_ids(const struct sweep *sweep);
void sweep_one_done(struct sweep *sweep, const char *name, const struct quota_values *values, int result,
                    const struct error *e);
void sweeps_free(struct manager *m);

/* --- questions.c --- */
/* QUESTION_WATCH asks for the snapshot of a Watch, after which watch.c has the call. */
enum question_kind {
    QUESTION_GET,
    QUESTION_LIST,
    QUESTION_WATCH,
    QUESTION_REPORT,
    QUESTION_INFO,
    QUESTION_CHECK
};
void question_ask(struct manager *m, enum question_kind kind, struct varlink_call *call,
                  const char *container);
void questions_run(struct manager *m);

/* --- watch.c --- */
/* Tells the snapshot to a caller, and from now on every change. */
void watch_begin(struct manager *m, struct varlink_call *call, struct quota_values *const *values, size_t n);
/* Values that were just read: whoever watches hears of it when the level changed. */
void watch_see(struct manager *m, const struct quota_values *values);
/* The next check, while there is anything to check. */
void watch_arm(struct manager *m);
void watch_free(struct manager *m);

extern const struct varlink_handlers quota_handlers[];
