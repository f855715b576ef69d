/* The last lines of a container's output, as text for messages. */
#pragma once

#include "lib/basic/error.h"

#define TAIL_LINES_MAX 1000
#define TAIL_LINE_MAX  400 /* bytes kept of one line */

struct tail_partial {
    char text[TAIL_LINE_MAX];
    size_t n;
    bool begun;
};

/* Zeroed, with 'max' lines (1 to TAIL_LINES_MAX) set; tail_done() at the end. */
struct tail {
    size_t max;
    char **lines; /* a ring of 'max' */
    size_t n, first;
    struct tail_partial partial[2]; /* one per stream, since their pieces mix */
};

/* A piece of stream 1 or 2 (a log_piece_fn). */
int tail_piece(int stream, const void *data, size_t size, void *tail);
/* All lines, oldest first, also those that had no end: an array of strings that the caller owns; always valid
 * UTF-8, and printable (lib/basic/printable.h). */
void tail_take(struct tail *t, char ***ret, size_t *ret_n);
void tail_done(struct tail *t);
