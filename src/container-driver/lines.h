/* Splits a stream into lines of bounded length. Docker sends progress and events as one JSON object per line.
 */
#pragma once

#include "lib/basic/error.h"

struct lines {
    char *buffer;
    size_t used, room, max; /* bytes; 'max': of the longest line that is accepted */
};

/* Receives one line without its line end, NUL-terminated and borrowed. A negative errno ends lines_feed(). */
typedef int (*lines_fn)(char *line, size_t size, void *userdata);

/* Adds data to the stream and calls 'on_line' for each complete line that is not empty. Returns 0, −EMSGSIZE
 * (failed) when a line is longer than 'max', or the errno of 'on_line' (without 'e' filled). */
int lines_feed(struct lines *l, const void *data, size_t size, lines_fn on_line, void *userdata,
               struct error *e);
void lines_done(struct lines *l);
