/* Reads and writes {home}/var/log/LABEL.json, the last run of a task, beside its output.
 *
 * The files are replaced by rename and not synced, because a power cut may cost what is only shown. */
#pragma once

#include "inagent/tasks.h"

/* Reads the files of the tasks that were not read before in this process. What cannot be read is logged, and
 * replaced by the task's next run. */
void state_files_read(const char *home, struct plan *plan);

/* Writes the file of a task. Logs the first failure of a series. */
void state_file_write(const char *home, const struct task *task);
