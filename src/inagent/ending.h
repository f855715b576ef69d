/* Ends tasks that run: SIGTERM to every process of the task's session, and SIGKILL after five seconds. Times
 * are CLOCK_MONOTONIC in microseconds. */
#pragma once

#include "inagent/tasks.h"

/* Sends SIGTERM to the task, which then counts as failed. 'why' is a static text for the log: "the task WHY".
 * Does nothing if the task does not run, or is being ended. */
void ending_begin(struct task *task, const char *why, uint64_t now);

/* Does the same with SIGABRT, for an application that hangs, and with ten seconds for its core dump. */
void ending_abort(struct task *task, const char *why, uint64_t now);

/* Ends the tasks whose time limit has passed, and kills those that SIGTERM has not ended. */
void ending_tick(const struct plan *plan, uint64_t now);

/* Returns when ending_tick() is due next; UINT64_MAX: never. */
uint64_t ending_wakeup(const struct plan *plan);

/* Handles the exit of the shell 'pid' of a task: if inagent has ended the task, kills what is left of its
 * session. The daemon calls it before plan_ended(). */
void ending_over(const struct task *task, pid_t pid);
