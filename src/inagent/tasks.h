/* Defines the tasks of an application as inagent keeps them: what the specification says, and the state of
 * each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/cron/next.h"

enum task_trigger { TRIGGER_NONE, TRIGGER_ON_SHUTDOWN, TRIGGER_ON_STARTUP, TRIGGER_INTERVAL, TRIGGER_CRON };

enum task_state {
    TASK_PENDING,   /* no attempt has ended yet */
    TASK_RUNNING,   /* its shell runs */
    TASK_SUCCEEDED, /* the last run exited with 0 */
    TASK_DELAYED,   /* failed, and is retried at 'due' */
    TASK_FAILED,    /* the last run failed, and is not retried */
};

/* What became of an administrator's request to run a task (request.h). */
enum request_state {
    REQUEST_NONE,
    REQUEST_WAITING, /* its run has not begun */
    REQUEST_RUNNING,
    REQUEST_SUCCEEDED,
    REQUEST_FAILED,
    REQUEST_REFUSED,
    REQUEST_INTERRUPTED, /* the container ended before the run did */
    _REQUEST_STATE_MAX
};

#define REQUEST_ID_MAX 64

struct request {
    char id[REQUEST_ID_MAX + 1]; /* "": there was none */
    enum request_state state;
    int exit_code;    /* of its run; 0: it has not ended */
    char message[64]; /* why it was refused or interrupted; "": it was not, or the task can never run */
};

/* A task of the specification; the script is trimmed and expanded. */
struct task_definition {
    char *name, *script, *working_dir, *run_user, *cron; /* the last three are "" if not given */
    char **depends_on;                                   /* terminated by NULL */
    enum task_trigger trigger;
    uint32_t max_attempts, retry_backoff_seconds; /* 0: not given */
    uint32_t interval_seconds;
    uint32_t timeout_seconds;  /* of each attempt; 0: without limit */
    bool notify;               /* ready = "notify": it reports by sd_notify(3) */
    uint32_t watchdog_seconds; /* 0: none */
};

struct task {
    struct task_definition definition;
    enum task_state state;
    bool present;   /* part of the current specification */
    bool announced; /* the daemon has logged that it waits or never runs */
    char *problem;  /* why it can never run (then it is failed), or NULL */
    /* A run is due and has not begun: it begins when the dependencies have succeeded. */
    bool asked;
    /* An administrator asked for a run, which waits for nothing and is not retried. */
    bool asked_by_hand, runs_by_hand;
    enum task_state before;          /* of a run by hand: the state that a failure restores */
    struct request request;          /* the last */
    char serves[REQUEST_ID_MAX + 1]; /* the request whose run this is; "": none */
    bool restored;                   /* what was kept of an earlier process is read: task_state.h */
    /* Runs since the last one that lasted 60 s, including that one; of the present due run, if the task runs
     * at intervals or by cron. */
    unsigned attempts;
    pid_t pid; /* of its shell, while it runs */
    /* CLOCK_MONOTONIC, microseconds. 'due' is the next retry, or the next run if that depends on this clock;
     * UINT64_MAX: none. 'over' is the end of the last run; 0: none. */
    uint64_t begun, due, over;
    /* With the trigger cron: the parsed expression and its time zone (borrowed); the last planned time that
     * has come (unix seconds; 0: none); where "@every" counts from, like 'due'; 0: from now on. */
    struct cron cron;
    const struct tz *tz;
    int64_t last_due;
    uint64_t anchor;
    /* For showing; unix milliseconds, 0: none. 'next' is the earliest start of the next run that is planned.
     */
    int64_t started, finished, next;
    uint64_t runs; /* attempts that have begun */
    int exit_code; /* of the last attempt that ended */
    char *reason;  /* why the last run failed, beside its exit code; NULL: for that alone, or it runs */
    /* Why inagent is ending the run (static text), or NULL; then 'kill_at' is when it sends SIGKILL. */
    const char *ending;
    uint64_t kill_at;
};

struct plan {
    struct task **tasks; /* those of the specification in its order, then the others */
    size_t n_tasks;
    uint64_t probation_end; /* before this time a failure without attempts left is fatal */
    int64_t wall_offset;    /* the wall clock's distance from CLOCK_MONOTONIC, microseconds */
    /* Returns a time zone like zones_find(); NULL: every time zone is UTC. */
    int (*find_zone)(void *context, const char *name, const struct tz **ret, struct error *e);
    void *zones; /* its context */
};
