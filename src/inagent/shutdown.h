/* The way down: the tasks for shutdown one after the other, SIGTERM to everything, SIGKILL before hostlet's
 * patience ends. */
#pragma once

#include "inagent/plan.h"

enum shutdown_phase {
    SHUTDOWN_NOT,     /* running */
    SHUTDOWN_TASKS,   /* the on_shutdown tasks, in their order */
    SHUTDOWN_WAITING, /* everything was asked to end */
    SHUTDOWN_OVER,    /* nothing is left, or time is up: exit */
};

struct shutdown {
    enum shutdown_phase phase;
    int exit_code;
    const char *home;         /* borrowed */
    const struct plan *plan;  /* borrowed */
    size_t next;              /* index of the next task to look at */
    const struct task *task;  /* the one that runs, or NULL */
    pid_t pid;                /* of its shell */
    uint64_t task_deadline;   /* of the running one */
    uint64_t ask_at, kill_at; /* when SIGTERM comes at the latest, and SIGKILL */
};

/* Begins it, unless it has begun. 'timeout' is the time until somebody else kills us, from 'now'
 * (microseconds). */
void shutdown_begin(struct shutdown *shutdown, const struct plan *plan, const char *home, int exit_code,
                    uint64_t timeout, uint64_t now);

/* The same without on_shutdown tasks, for an application that never came up: everything is asked to end, and
 * gets two seconds. */
void shutdown_abandon(struct shutdown *shutdown, int exit_code, uint64_t now);

/* A child ended. */
void shutdown_ended(struct shutdown *shutdown, pid_t pid, int exit_code, uint64_t now);

/* No child is left. */
void shutdown_alone(struct shutdown *shutdown);

/* Does what is due now. */
void shutdown_tick(struct shutdown *shutdown, uint64_t now);

/* When shutdown_tick is due next; UINT64_MAX: never. */
uint64_t shutdown_wakeup(const struct shutdown *shutdown);
