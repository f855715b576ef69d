/* Decides which task runs when: the states of tasks, their attempts and delays.
 *
 * It uses neither processes nor clocks: the daemon reports events with their times and asks for the next
 * task. 'now' is CLOCK_MONOTONIC in microseconds; schedule_clock() sets both clocks before. The state of a
 * task is kept by its name as long as inagent runs, across every new specification: a startup task that has
 * succeeded never runs again. */
#pragma once

#include "inagent/tasks.h"
#include "lib/basic/error.h"

/* The consequence of a task's end for the daemon. */
enum task_verdict {
    VERDICT_DONE,     /* succeeded */
    VERDICT_AGAIN,    /* failed; is retried at 'due' */
    VERDICT_GIVEN_UP, /* failed; is not retried; runs next when its trigger says so */
    /* Failed while the deploy is on probation: inagent exits with the task's exit code. */
    VERDICT_FATAL,
};

/* Takes ownership of the content of the 'n' definitions (emptied, not freed). A known name keeps its
 * state; a failed startup task whose definition has changed, or that could not run, starts again. The caller
 * refuses duplicate names. */
void plan_update(struct plan *plan, struct task_definition *definitions, size_t n, uint64_t now);

/* Returns the next task to start now, or NULL. */
struct task *plan_next(const struct plan *plan, uint64_t now);

/* Returns when plan_next() must be called again if no event occurs before; UINT64_MAX: never. */
uint64_t plan_wakeup(const struct plan *plan);

/* Returns the task of the present specification with this name, or NULL. */
struct task *plan_find(const struct plan *plan, const char *name);
struct task *plan_find_pid(const struct plan *plan, pid_t pid);

/* Lets the task run as soon as it does not run: now, without regard to its trigger and its dependencies.
 * Such a run is not retried, and its failure does not end the container. Returns false if the task can never
 * run. */
bool plan_ask(struct task *task);

void plan_began(const struct plan *plan, struct task *task, pid_t pid, uint64_t now);

/* A run that was ended by inagent has failed, whatever its exit code. */
enum task_verdict plan_ended(const struct plan *plan, struct task *task, int exit_code, uint64_t now);

void plan_clear(struct plan *plan);
void task_definition_clear(struct task_definition *definition);
