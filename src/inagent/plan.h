/* Which task runs when: the states of tasks, their dependencies, attempts and delays.
 *
 * Knows neither processes nor clocks: the daemon tells what happened and when, and asks what is next. Times
 * are CLOCK_MONOTONIC in microseconds. The state of a task is kept by its name for the life of the process,
 * over every new specification: what has succeeded never runs again. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum task_trigger { TRIGGER_NONE, TRIGGER_ON_SHUTDOWN, TRIGGER_ON_STARTUP, TRIGGER_INTERVAL, TRIGGER_CRON };

enum task_state {
    TASK_PENDING,   /* to be started as soon as what it depends on has succeeded */
    TASK_RUNNING,   /* its shell lives */
    TASK_SUCCEEDED, /* ended with 0 */
    TASK_DELAYED,   /* failed, and is tried again when it is due */
    TASK_FAILED,    /* not tried again */
};

/* What a failure or a success means for the daemon. */
enum task_verdict {
    VERDICT_DONE,     /* succeeded */
    VERDICT_AGAIN,    /* failed; is tried again at 'due' */
    VERDICT_GIVEN_UP, /* failed; is not tried again */
    VERDICT_FATAL,    /* failed while the deploy is on probation: inagent ends with the task's exit code */
};

/* As the specification has it; script trimmed and expanded. */
struct task_definition {
    char *name, *script, *working_dir, *run_user; /* the last two "" where not given */
    char **depends_on;                            /* ends with NULL */
    enum task_trigger trigger;
    uint32_t max_attempts, retry_backoff_seconds; /* 0: not given */
};

struct task {
    struct task_definition definition;
    enum task_state state;
    bool present;      /* part of the current specification */
    bool announced;    /* for the daemon: that it waits, or is never run, was said */
    char *problem;     /* why it cannot ever run (then it is failed), or NULL */
    unsigned attempts; /* runs begun since the last one that held */
    pid_t pid;         /* of its shell, while running */
    uint64_t begun, due;
};

struct plan {
    struct task **tasks; /* those of the specification in its order, then the others */
    size_t n_tasks;
    uint64_t probation_end; /* before it a failure without attempts left is fatal */
};

/* Takes the 'n' definitions (emptied, not freed): names that are known keep their state, except that what had
 * failed for good is tried anew when its definition has changed. A name that comes twice is the caller's to
 * refuse. */
void plan_update(struct plan *plan, struct task_definition *definitions, size_t n);

/* The next task to start now, or NULL. */
struct task *plan_next(const struct plan *plan, uint64_t now);

/* When plan_next has to be asked again if nothing else happens; UINT64_MAX: never. */
uint64_t plan_wakeup(const struct plan *plan);

/* The first dependency that 'task' is waiting for, or NULL. */
const struct task *plan_waits_for(const struct plan *plan, const struct task *task);

struct task *plan_find_pid(const struct plan *plan, pid_t pid);

void plan_began(struct task *task, pid_t pid, uint64_t now);
enum task_verdict plan_ended(const struct plan *plan, struct task *task, int exit_code, uint64_t now);

void plan_clear(struct plan *plan);
void task_definition_clear(struct task_definition *definition);
