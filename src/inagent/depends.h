/* Checks and follows the dependencies between tasks. */
#pragma once

#include "inagent/tasks.h"

/* Sets the problem of each task that can never start: the names that it depends on must exist, belong to
 * tasks that can succeed, and make no cycle. */
void depends_check(const struct plan *plan);

/* Returns the first dependency that 'task' waits for, or NULL: a task whose last due run has not succeeded.
 */
const struct task *depends_waits_for(const struct plan *plan, const struct task *task);
