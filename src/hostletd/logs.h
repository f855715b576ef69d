/* The log: lines of the supervisor and of its children, onto standard error, without ever waiting for its
 * reader. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

/* From here on everything that is logged goes through a bounded queue; what does not fit is counted, and said
 * when there is room again. */
int logs_open(sd_event *event, struct error *e);
/* Gives the queue a moment to empty itself. */
void logs_close(void);

/* What one service writes; lives as long as the service, through all its runs. */
struct child_log;

/* 'name' is borrowed. */
int child_log_new(sd_event *event, const char *name, struct child_log **ret, struct error *e);
void child_log_free(struct child_log *log);

/* The descriptor that becomes a child's standard output and error. */
int child_log_fd(const struct child_log *log);
/* A run begins: its last line is none yet. */
void child_log_begin(struct child_log *log);
/* The run is over: takes what is still in the pipe, the unfinished line too. */
void child_log_end(struct child_log *log);
/* The last line of this run, "" without one. */
const char *child_log_last(const struct child_log *log);
