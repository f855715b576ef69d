/* What the tests of packages share: scratch directories, hand-made tars, and package files around them. */
#pragma once

#include "lib/package/header.h"

/* A growing piece of memory. */
struct bytes {
    uint8_t *data;
    size_t size, room;
};

void bytes_add(struct bytes *b, const void *data, size_t size);
void bytes_clear(struct bytes *b);

/* A fresh directory below $TMPDIR; removed with scratch_remove, which frees the path. */
char *scratch_make(void);
void scratch_remove(char *path);

/* Adds a ustar header and the data, padded. 'type' is tar's type flag; 'size' is what the header says. */
void tar_entry(struct bytes *tar, const char *name, char type, const char *target, unsigned mode,
               const char *data);
void tar_raw(struct bytes *tar, const char *name, char type, const char *target, unsigned mode,
             uint64_t size);
/* Adds a pax header for the next entry: one "keyword=value" record. */
void tar_pax(struct bytes *tar, const char *keyword, const char *value, size_t value_size);
/* The end mark. */
void tar_end(struct bytes *tar);

/* The tar compressed. */
void compress_bytes(enum compression c, const struct bytes *in, struct bytes *out);

/* A package file "tiny 1.0.0" in memory around a data block, with its true checksum: a descriptor. */
int make_package(enum compression said, const struct bytes *block);

/* Number of names in a directory, hidden ones included; −1 when it is not there. */
int count_names(const char *path);
