/* Shuts the container down: runs the on_shutdown tasks one after the other, sends SIGTERM to every
 * process, and SIGKILL before hostlet's stop timeout ends. */
#pragma once

#include "inagent/output.h"
#include "inagent/plan.h"

enum shutdown_phase {
    SHUTDOWN_NOT,     /* running */
    SHUTDOWN_TASKS,   /* runs the on_shutdown tasks, in their order */
    SHUTDOWN_WAITING, /* SIGTERM was sent to every process */
    SHUTDOWN_OVER,    /* no process is left, or the time is over: exit */
};

struct shutdown {
    enum shutdown_phase phase;
    int exit_code;
    struct output *output;    /* borrowed */
    const struct plan *plan;  /* borrowed */
    size_t next;              /* index of the next task to consider */
    struct task *task;        /* the running one, or NULL */
    pid_t pid;                /* of its shell */
    uint64_t task_deadline;   /* of the running task */
    uint64_t ask_at, kill_at; /* when SIGTERM is sent at the latest, and when SIGKILL is */
};

/* Begins the shutdown, unless it has begun. 'timeout' is the time from 'now' until the runtime kills the
 * container (microseconds). */
void shutdown_begin(struct shutdown *shutdown, const struct plan *plan, struct output *output, int exit_code,
                    uint64_t timeout, uint64_t now);

/* Begins a shutdown without on_shutdown tasks, for an application that failed on probation: every process
 * gets SIGTERM and two seconds to exit. */
void shutdown_abandon(struct shutdown *shutdown, int exit_code, uint64_t now);

/* Handles the exit of a child. */
void shutdown_ended(struct shutdown *shutdown, pid_t pid, int exit_code, uint64_t now);

/* Handles that no child is left. */
void shutdown_alone(struct shutdown *shutdown);

/* Performs the actions that are due at 'now'. */
void shutdown_tick(struct shutdown *shutdown, uint64_t now);

/* Returns when shutdown_tick() is due next; UINT64_MAX: never. */
uint64_t shutdown_wakeup(const struct shutdown *shutdown);
