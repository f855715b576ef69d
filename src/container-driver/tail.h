/* Collects the last lines of a container's output, as text for messages. */
#pragma once

#include "lib/basic/error.h"

#define TAIL_LINES_MAX 1000
#define TAIL_LINE_MAX  400 /* bytes kept of one line */

struct tail_partial {
    char text[TAIL_LINE_MAX];
    size_t n;
    bool begun;
};

/* The caller zeroes it, sets 'max' to the number of lines (1 to TAIL_LINES_MAX), and releases it with
 * tail_done(). */
struct tail {
    size_t max;
    char **lines; /* a ring of 'max' */
    size_t n, first;
    struct tail_partial partial[2]; /* one for each stream, because their pieces arrive interleaved */
};

/* Adds a piece of stream 1 or 2 (a log_piece_fn). */
int tail_piece(int stream, const void *data, size_t size, void *tail);
/* Returns all lines, oldest first, including lines without a line end, as an array of strings that the caller
 * owns. They are valid UTF-8 and printable (lib/basic/printable.h). */
void tail_take(struct tail *t, char ***ret, size_t *ret_n);
void tail_done(struct tail *t);
