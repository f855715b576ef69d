/* From the bytes that a child writes on its standard error to lines that can be shown. */
#pragma once

#include "lib/basic/log.h"

/* A longer line is cut into several. */
#define LINE_BYTES 3000

struct line_splitter {
    size_t n;
    char data[LINE_BYTES + 1];
};

typedef void (*line_fn)(const char *line, void *userdata);

/* Calls 'on_line' for each whole line in what was fed, without its newline; control characters of ASCII
 * become '?' (NUL would end the line); printable_line() does the rest. Empty lines are left out. */
void lines_feed(struct line_splitter *s, const char *data, size_t n, line_fn on_line, void *userdata);
/* What stands without a newline is a line too: its writer is gone. */
void lines_flush(struct line_splitter *s, line_fn on_line, void *userdata);

/* The text of a line behind "<N>name: ", and *ret_level from it; a line without is not one of our own log:
 * notice. */
const char *line_parse(const char *line, const char *name, enum log_level *ret_level);
