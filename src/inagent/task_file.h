/* Writes the output of each task to a file of bounded size in the application's home.
 *
 * {home}/var/log/LABEL.log has at most TASK_FILE_MAX bytes, and LABEL.log.1 what was written before. The
 * application can read, rename and delete both. A file that cannot be written never stops a task: the output
 * is then in the container's log alone. */
#pragma once

#include "lib/basic/error.h"

/* bytes of one of the two files */
#define TASK_FILE_MAX ((size_t)1 << 20)

struct task_file;

/* The files of all tasks. Initialise it with zeros and the home. */
struct task_files {
    const char *home; /* borrowed */
    struct task_file *first;
};

/* Returns the file of a task, which stays valid until task_files_clear(). Each user releases it with
 * task_file_release(); without a user the file is closed. */
struct task_file *task_file_use(struct task_files *files, const char *task);
void task_file_release(struct task_file *file);

/* Appends a piece of the task's output. Logs the first failure of a series. After a failure the output of the
 * next 10 s is dropped. 'now': CLOCK_MONOTONIC, microseconds. */
void task_file_write(struct task_files *files, struct task_file *file, const void *data, size_t size,
                     uint64_t now);

void task_files_clear(struct task_files *files);
