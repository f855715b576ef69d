/* Writes the lines of hostletd and its workers to standard error without ever waiting for the reader. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"

/* Directs the log of this process through a bounded queue. If the queue is full, lines are dropped and
 * counted, and the count is logged when there is room again. Returns 0 or a negative errno. */
int logs_open(sd_event *event, struct error *e);
/* Waits up to 200 ms for the queue to be written, and returns to the unqueued log. */
void logs_close(void);

/* The log pipe of one service. It exists as long as the service, across the restarts of its process. */
struct child_log;

/* Creates the log pipe of a service. 'name' is borrowed. Returns 0 or a negative errno. */
int child_log_new(sd_event *event, const char *name, struct child_log **ret, struct error *e);
void child_log_free(struct child_log *log);

/* Returns the descriptor (borrowed) that becomes standard output and standard error of the service's
 * process. */
int child_log_fd(const struct child_log *log);
/* Begins a run of the process: child_log_last() returns "" until it writes a line. */
void child_log_begin(struct child_log *log);
/* Ends a run: reads what the pipe still contains, including an incomplete last line. */
void child_log_end(struct child_log *log);
/* Returns the last line of this run (borrowed), or "" if there is none. */
const char *child_log_last(const struct child_log *log);
