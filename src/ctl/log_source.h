/* One replica's output, as the driver's Logs sends it: opened, read, and written to our own standard output
 * and error: byte by byte, but for a terminal, to which what is not printable (lib/basic/printable.h) is
 * shown as \u001b or \x9b. */
#pragma once

#include "ctl/ctl.h"
#include "lib/basic/printable.h"
#include "lib/logs/frames.h"

/* What waits for its end of line, per stream, where several replicas share the screen. */
struct log_line {
    char *text;
    size_t size;
};

struct log_source {
    int64_t replica;
    int fd; /* blocking; −1: not open */
    struct log_frames frames;
    bool prefixed; /* several replicas share the screen: each line says whose it is */
    struct log_line lines[2];
    bool raw; /* as it is, on a terminal as well */
    struct printable_stream characters[2];
    int64_t ended; /* unix milliseconds of the last end; 0: it was never open */
};

/* Connects. After an end, what was written since then; before the first one, what the command's options say.
 */
int log_source_open(struct ctl *ctl, struct log_source *s, const char *instance, struct error *e);

/* Reads once, waiting if need be, and prints. At the end it is closed: 0. 1 while it goes on; −EPROTO where
 * what came is no log or broke off, also closed. A reader of ours that is gone ends the program. */
int log_source_read(struct log_source *s, struct error *e);

void log_source_done(struct log_source *s);
