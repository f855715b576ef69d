/* Reads one replica's output from the driver's method Logs and writes it to hostletctl's standard output and
 * error: byte by byte, except to a terminal, where bytes that are not printable (lib/basic/printable.h) are
 * shown as \u001b or \x9b. */
#pragma once

#include "ctl/ctl.h"
#include "lib/basic/printable.h"
#include "lib/logs/frames.h"

/* The incomplete last line of a stream, which is stored if the lines of several replicas are mixed. */
struct log_line {
    char *text;
    size_t size;
};

struct log_source {
    int64_t replica;
    int fd; /* blocking; −1: not open */
    struct log_frames frames;
    bool prefixed; /* each line begins with the replica's id */
    struct log_line lines[2];
    bool raw; /* write all bytes to a terminal, too */
    struct printable_stream characters[2];
    /* CLOCK_MONOTONIC, when it was closed last, or with --tail 0, when the command began; 0: neither. */
    uint64_t ended_usec;
};

/* Opens the log. The first time it begins as the command's options state, later where the last reading
 * ended. Returns 0 or a negative errno. */
int log_source_open(struct ctl *ctl, struct log_source *s, const char *instance, struct error *e);

/* Reads once, blocking if no data is available, and prints it. Returns 1 while the log continues, 0 at its
 * end, and −EPROTO if the data is no log or is incomplete; in the last two cases the source is closed. Exits
 * if standard output or error cannot be written. */
int log_source_read(struct log_source *s, struct error *e);

void log_source_done(struct log_source *s);
