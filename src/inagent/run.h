/* Starts a task: gives its script to "sh" as the task's user in its directory. */
#pragma once

#include "inagent/output.h"
#include "inagent/plan.h"

/* Forks the shell of a task, in a session of its own, with inagent's environment; its standard output and
 * standard error are passed on by 'output'. The home is the working directory of a task that names none,
 * 'notify' its NOTIFY_SOCKET (NULL: none). Returns the pid, or a negative errno if no process could be made.
 * A failure in the child is written to the task's standard error, and the child exits with a non-zero code.
 */
pid_t run_task(const struct task_definition *task, const char *notify, struct output *output,
               struct error *e);

/* Converts a status of waitpid() to an exit code, as a shell does: 128 + N for a process killed by signal
 * N. */
int run_exit_code(int status);
