/* Decides when the tasks with interval_seconds and cron are due. 'now' is CLOCK_MONOTONIC in microseconds. */
#pragma once

#include "inagent/tasks.h"

/* Sets both clocks ('wall': unix microseconds), and marks the tasks whose time has come as asked. Corrects
 * the schedule if the wall clock was set. The daemon calls it before every other function of the plan. */
void schedule_clock(struct plan *plan, uint64_t now, int64_t wall);

/* Parses the cron expression of a task, or sets its problem. */
void schedule_define(const struct plan *plan, struct task *task);

/* Plans the next run of a task that neither runs nor is retried. */
void schedule_arm(const struct plan *plan, struct task *task, uint64_t now);

/* Reports whether the trigger of the task asks for runs again and again. */
bool schedule_repeats(const struct task *task);

/* Returns the wall time at which schedule_clock() must be called again (unix microseconds); INT64_MAX: never.
 */
int64_t schedule_wall_wakeup(const struct plan *plan);
