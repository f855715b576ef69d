/* The data block of a package file as a stream of decompressed chunks, hashed on its way in.
 *
 * A thread reads the file, hashes what it read (SHA-256 of the compressed bytes, which is what
 * release.checksum is of), decompresses, and fills a small ring of buffers; the caller empties it. So hashing
 * and decompressing overlap with whatever the caller does, and nothing is ever held whole in memory. */
#pragma once

#include <stdatomic.h>

#include "lib/package/header.h"
#include "lib/package/limits.h"

struct source;

/* What all parts of one reading share; it outlives them. 'cancel' (may be NULL) makes everything end with
 * −ECANCELED soon. */
struct source_options {
    const char *what; /* names the file in messages */
    const struct package_limits *limits;
    const atomic_bool *cancel;
    unsigned threads; /* for decoding xz; 0: two */
};

/* Starts reading the data block at 'offset' of 'size' bytes. 'fd' and 'p' are borrowed until source_free. */
int source_start(int fd, uint64_t offset, uint64_t size, const struct package *p,
                 const struct source_options *options, struct source **ret, struct error *e);

/* The next chunk, valid until the next call: 1, or 0 at the end, or a negative errno. The end is reported
 * only when the compression ended properly, nothing follows it, and the checksum is right. */
int source_next(struct source *s, const void **ret, size_t *ret_size, struct error *e);

/* For a caller that gives up for a reason of its own: reads and hashes the rest without decompressing it. If
 * the checksum is wrong, *e is replaced by that, which is the better explanation. */
void source_explain(struct source *s, struct error *e);

/* Bytes of the data block read, and decompressed, so far. */
uint64_t source_bytes_read(const struct source *s);
uint64_t source_bytes_decoded(const struct source *s);

/* After the end: the decompressed stream holds nothing but zeros from here on. */
uint64_t source_zeros_from(const struct source *s);

/* Stops the thread, wherever it is, and waits for it. */
struct source *source_free(struct source *s);
DEFINE_CLEANUP(struct source *, source_free);
