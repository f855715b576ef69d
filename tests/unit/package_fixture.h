/* Provides what the tests of packages share: scratch directories, hand-made tar archives, and package
 * files around them. */
#pragma once

#include "lib/package/header.h"

/* A growing buffer. */
struct bytes {
    uint8_t *data;
    size_t size, room;
};

void bytes_add(struct bytes *b, const void *data, size_t size);
void bytes_clear(struct bytes *b);

/* Makes a new directory below $TMPDIR; scratch_remove() removes it and frees the path. */
char *scratch_make(void);
void scratch_remove(char *path);

/* Adds a ustar header and the data, padded. 'type' is tar's type flag; 'size' is the size in the header. */
void tar_entry(struct bytes *tar, const char *name, char type, const char *target, unsigned mode,
               const char *data);
void tar_raw(struct bytes *tar, const char *name, char type, const char *target, unsigned mode,
             uint64_t size);
/* Adds a pax header for the next entry: one record "keyword=value". */
void tar_pax(struct bytes *tar, const char *keyword, const char *value, size_t value_size);
/* Adds the end mark. */
void tar_end(struct bytes *tar);

/* Compresses the tar. */
void compress_bytes(enum compression c, const struct bytes *in, struct bytes *out);

/* Makes a package file "tiny 1.0.0" in memory around a data block, with its correct checksum. Returns a
 * descriptor. */
int make_package(enum compression said, const struct bytes *block);

/* Returns the number of names in a directory, including hidden ones; −1 if it does not exist. */
int count_names(const char *path);
