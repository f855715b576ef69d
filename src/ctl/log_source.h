/* Reads one replica's output from the driver's method Logs and writes it to hostletctl's standard output and
 * error: byte by byte, except to a terminal, where bytes that are not printable (lib/basic/printable.h) are
 * shown as \u001b or \x9b. */
#pragma once

#include "ctl/ctl.h"
#include "lib/basic/printable.h"
#include "lib/logs/frames.h"

/* The incomplete last line of a stream, which is stored if the lines of several replicas are mixed, or if
 * only some lines are printed. */
struct log_line {
    char *text;
    size_t size;
};

struct kept_line {
    int stream;
    char *text;
    size_t size;
};

struct log_source {
    int64_t replica;
    int fd; /* blocking; −1: not open */
    struct log_frames frames;
    bool prefixed; /* each line begins with the replica's id */
    struct log_line lines[2];
    /* Only lines that begin with this text are printed, without it: the label of a task. NULL: all. */
    const char *label;
    /* With a label: only the last 'keep' lines of this reading are printed, at its end; 0: all, at once. */
    int64_t keep;
    struct kept_line *kept;
    size_t n_kept, first_kept; /* a ring, once it is full */
    bool raw;                  /* write all bytes to a terminal, too */
    uint64_t since;            /* only output of the last 'since' microseconds; 0: all */
    int64_t tail;              /* only the last lines of all output; 0: all; not used with a label */
    struct printable_stream characters[2];
    /* CLOCK_MONOTONIC, when it was closed last, or with --tail 0, when the command began; 0: neither. */
    uint64_t ended_usec;
};

/* Opens the log; with 'follow' it continues until the container ends. The first time it begins as the
 * command's options state, later where the last reading ended. Returns 0 or a negative errno. */
int log_source_open(struct ctl *ctl, struct log_source *s, const char *instance, bool follow,
                    struct error *e);

/* Reads once, blocking if no data is available, and prints it. Returns 1 while the log continues, 0 at its
 * end, and −EPROTO if the data is no log or is incomplete; in the last two cases the source is closed. Exits
 * if standard output or error cannot be written. */
int log_source_read(struct log_source *s, struct error *e);

void log_source_done(struct log_source *s);
