/* Decides which task runs when: the states of tasks, their dependencies, attempts and delays.
 *
 * It uses neither processes nor clocks: the daemon reports events with their times and asks for the next
 * task. Times are CLOCK_MONOTONIC in microseconds. The state of a task is kept by its name as long as
 * inagent runs, across every new specification: a task that has succeeded never runs again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum task_trigger { TRIGGER_NONE, TRIGGER_ON_SHUTDOWN, TRIGGER_ON_STARTUP, TRIGGER_INTERVAL, TRIGGER_CRON };

enum task_state {
    TASK_PENDING,   /* starts when its dependencies have succeeded */
    TASK_RUNNING,   /* its shell runs */
    TASK_SUCCEEDED, /* exited with 0 */
    TASK_DELAYED,   /* failed, and is retried at 'due' */
    TASK_FAILED,    /* not retried */
};

/* The consequence of a task's end for the daemon. */
enum task_verdict {
    VERDICT_DONE,     /* succeeded */
    VERDICT_AGAIN,    /* failed; is retried at 'due' */
    VERDICT_GIVEN_UP, /* failed; is not retried */
    /* Failed while the deploy is on probation: inagent exits with the task's exit code. */
    VERDICT_FATAL,
};

/* A task of the specification; the script is trimmed and expanded. */
struct task_definition {
    char *name, *script, *working_dir, *run_user; /* the last two are "" if not given */
    char **depends_on;                            /* terminated by NULL */
    enum task_trigger trigger;
    uint32_t max_attempts, retry_backoff_seconds; /* 0: not given */
};

struct task {
    struct task_definition definition;
    enum task_state state;
    bool present;   /* part of the current specification */
    bool announced; /* the daemon has logged that it waits or never runs */
    char *problem;  /* why it can never run (then it is failed), or NULL */
    /* Runs since the last one that lasted 60 s, including that one. */
    unsigned attempts;
    pid_t pid; /* of its shell, while it runs */
    uint64_t begun, due;
};

struct plan {
    struct task **tasks; /* those of the specification in its order, then the others */
    size_t n_tasks;
    uint64_t probation_end; /* before this time a failure without attempts left is fatal */
};

/* Takes ownership of the content of the 'n' definitions (emptied, not freed). A known name keeps its
 * state; a failed task whose definition has changed, or that could not run, starts again. The caller
 * refuses duplicate names. */
void plan_update(struct plan *plan, struct task_definition *definitions, size_t n);

/* Returns the next task to start now, or NULL. */
struct task *plan_next(const struct plan *plan, uint64_t now);

/* Returns when plan_next() must be called again if no event occurs before; UINT64_MAX: never. */
uint64_t plan_wakeup(const struct plan *plan);

/* Returns the first dependency that 'task' waits for, or NULL. */
const struct task *plan_waits_for(const struct plan *plan, const struct task *task);

struct task *plan_find_pid(const struct plan *plan, pid_t pid);

void plan_began(struct task *task, pid_t pid, uint64_t now);
enum task_verdict plan_ended(const struct plan *plan, struct task *task, int exit_code, uint64_t now);

void plan_clear(struct plan *plan);
void task_definition_clear(struct task_definition *definition);
