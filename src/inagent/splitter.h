/* Turns the bytes that a task writes into whole lines that begin with its label.
 *
 * Pure: the caller reads the bytes, and writes what is pending. Memory is allocated only while a line is
 * incomplete or pending. */
#pragma once

#include <stddef.h>

#include "lib/logs/label.h"

/* Bytes that wait to be written. Initialise it with zeros. */
struct pending {
    char *bytes;
    size_t used, sent, room; /* the first 'sent' of 'used' bytes are written already */
};

void pending_add(struct pending *pending, const void *data, size_t size);
/* Removes the first 'size' bytes, which have been written. The memory stays for the next bytes. */
void pending_sent(struct pending *pending, size_t size);
void pending_clear(struct pending *pending);

/* One output of one task. Initialise the rest with zeros by splitter_init(). */
struct splitter {
    char prefix[LOG_PREFIX_SIZE];
    size_t n_prefix;
    char *held; /* the incomplete last line; NULL: none */
    size_t n_held, room;
};

void splitter_init(struct splitter *s, const char *task);

/* Adds each line of 'data' that is complete, and splits lines that are longer than LOG_LINE_MAX. */
void splitter_feed(struct splitter *s, const char *data, size_t size, struct pending *out);

/* Adds the incomplete last line, with a newline. */
void splitter_end(struct splitter *s, struct pending *out);

void splitter_clear(struct splitter *s);
