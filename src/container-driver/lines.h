/* A stream cut into lines, with a bound: Docker's progress and events are one JSON object a line. */
#pragma once

#include "lib/basic/error.h"

struct lines {
    char *buffer;
    size_t used, room, max; /* 'max': bytes of the longest line that is taken */
};

/* One line without its end, NUL-terminated; negative errno stops. */
typedef int (*lines_fn)(char *line, size_t size, void *userdata);

/* Fails with EMSGSIZE on a longer line. Empty lines are skipped. */
int lines_feed(struct lines *l, const void *data, size_t size, lines_fn on_line, void *userdata,
               struct error *e);
void lines_done(struct lines *l);
