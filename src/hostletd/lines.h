/* Splits the bytes that a worker writes to its standard error into lines that can be logged. */
#pragma once

#include "lib/basic/log.h"

/* A longer line is split into several lines. */
#define LINE_BYTES 3000

struct line_splitter {
    size_t n;
    char data[LINE_BYTES + 1];
};

typedef void (*line_fn)(const char *line, void *userdata);

/* Calls 'on_line' for each complete line of the received data, without its newline. Empty lines are skipped.
 * ASCII control characters except the tab become '?', because a NUL would end the line; the caller replaces
 * others by printable_line(). */
void lines_feed(struct line_splitter *s, const char *data, size_t n, line_fn on_line, void *userdata);
/* Calls 'on_line' for an incomplete last line. The caller calls it when the writer has exited. */
void lines_flush(struct line_splitter *s, line_fn on_line, void *userdata);

/* Returns the text of a line after "<N>name: " (borrowed) and stores the level N. A line without "<N>" was
 * not written by hostlet's log: its level is notice. */
const char *line_parse(const char *line, const char *name, enum log_level *ret_level);
