/* Writes a data block: compresses and hashes its input and writes the result to a file. */
#pragma once

#include "lib/package/header.h"

struct data_block;

/* Creates a writer. 'fd' is borrowed until data_block_free(). */
int data_block_new(int fd, enum compression c, int level, struct data_block **ret, struct error *e);
struct data_block *data_block_free(struct data_block *d);
DEFINE_CLEANUP(struct data_block *, data_block_free);

int data_block_write(struct data_block *d, const void *data, size_t size, struct error *e);

/* Ends the compressed stream and returns its size in bytes and its SHA-256. */
int data_block_finish(struct data_block *d, uint64_t *ret_size, char ret_sha256[SHA256_HEX_SIZE],
                      struct error *e);
