/* Passes what the tasks write on to the container's log, line by line with the task's name, and to the task's
 * file (task_file.h).
 *
 * Each task writes into two pipes, one for each of the container's streams. Nothing here blocks: while the
 * container's log accepts no data, the pipes of that stream are not read, so that the tasks wait as they
 * would if they wrote to it themselves. A pipe stays open for the processes that a task leaves behind. If the
 * log's reader is gone, the output is in the files alone; no task notices it. */
#pragma once

#include <poll.h>
#include <stdbool.h>

#include "inagent/splitter.h"
#include "inagent/task_file.h"

#define OUTPUT_STREAMS 2 /* standard output and standard error */

struct stream;

/* One of the container's two streams. */
struct channel {
    int log;                /* the container's descriptor, 1 or 2 */
    int epoll;              /* of the pipes */
    bool lost;              /* the log's reader is gone */
    struct pending pending; /* lines that the log has not accepted yet */
    struct stream *first;
};

struct output {
    struct channel channels[OUTPUT_STREAMS];
    struct task_files files;
};

/* Begins, and makes inagent's own messages part of the container's second stream. 'home' is borrowed. There
 * is one struct output in a process. Returns 0 or a negative errno. */
int output_begin(struct output *output, const char *home, struct error *e);

/* Makes the two pipes of a task. The caller passes their ends in 'ret' to the task and closes them. Returns
 * 0, or a negative errno. */
int output_open(struct output *output, const char *task, int ret[OUTPUT_STREAMS], struct error *e);

/* Passes on what the task has written before its shell exited, as far as the log accepts it, also an
 * incomplete last line. */
void output_ended(struct output *output, const char *task);

/* Passes on a bounded amount of what is there. */
void output_round(struct output *output);

/* Fills what poll() waits for until output_round() has work again. */
void output_poll(const struct output *output, struct pollfd ret[OUTPUT_STREAMS]);

/* Passes on what is left, for at most half a second, and ends. */
void output_end(struct output *output);
