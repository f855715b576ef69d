/* Formats what the last run of a task was, so that it can be shown after a restart of the container: the
 * content of {home}/var/log/LABEL.json. inagent decides nothing by it, and the application can change the
 * file.
 *
 * Pure: state_file.h reads and writes the files. */
#pragma once

#include "inagent/tasks.h"
#include "lib/basic/error.h"

/* Returns the text. The caller frees it. */
char *task_state_format(const struct task *task);

/* Sets the members of 'task' that are kept. A requested run that had not ended was interrupted. Returns 0, or
 * −EINVAL (refused), which leaves the task as it was. */
int task_state_parse(const char *data, size_t size, struct task *task, struct error *e);
