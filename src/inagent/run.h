/* Starting a task: its script, given to "sh" as its user in its directory. */
#pragma once

#include "inagent/plan.h"
#include "lib/basic/error.h"

/* Forks the shell of a task, in a session of its own, with our environment, standard output and standard
 * error. 'home' is the working directory of a task that names none. Returns the pid, or a negative errno when
 * there could be no process at all; what fails in the child is said on standard error and ends it with a
 * non-zero code. */
pid_t run_task(const struct task_definition *task, const char *home, struct error *e);

/* The exit code of a status of waitpid, as a shell has it: 128 + N for the death by signal N. */
int run_exit_code(int status);
