/* The process's state: the registry, the work that goes on, who watches.
 *
 * manager.c starts and ends it, requests.c does what changes something, questions.c what only looks, watch.c tells of
 * levels. All work is done in threads; the loop puts it in order: one request of a container at a time, and the changes of the
 * registry in batches, so that two hundred replicas cost a few writes and not hundreds. */
#pragma once

#include "lib/jobs/jobs.h"
#include "lib/service/service.h"
#include "quota-keeper/registry.h"

struct request;
struct question;

struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
};

struct manager {
    sd_event *event;
    struct registry registry;
    char *apps, *ledger_path, *lock_path;
    struct jobs *jobs;
    bool recovered;           /* until then everything but Info waits */
    struct request *requests; /* in the order in which they came */
    bool registering;         /* a batch is under way */
    struct question *waiting; /* for the recovery */
    struct watcher *watchers;
    uint64_t check_usec; /* 0: no checks */
    sd_event_source *check_timer;
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
/* Starts what can be started. */
void requests_run(struct manager *m);
void requests_free(struct manager *m);

/* --- questions.c --- */
enum question_kind { QUESTION_GET, QUESTION_LIST, QUESTION_REPORT, QUESTION_INFO, QUESTION_CHECK };
void question_ask(struct manager *m, enum question_kind kind, struct varlink_call *call,
                  const char *container);
void questions_run(struct manager *m);

/* --- watch.c --- */
struct quota_values;
void watch_begin(struct manager *m, struct varlink_call *call);
/* Values that were just read: whoever watches hears of it when the level changed. */
void watch_see(struct manager *m, const struct quota_values *values);
/* The next check, while there is anything to check. */
void watch_arm(struct manager *m);
void watch_free(struct manager *m);

extern const struct varlink_handlers quota_handlers[];
