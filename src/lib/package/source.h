/* Reads the data block of a package file as a stream of decompressed chunks and hashes it.
 *
 * A thread reads the file, hashes the data (SHA-256 of the compressed bytes, as in release.checksum),
 * decompresses it, and fills a small ring of buffers, which the caller empties. So hashing and
 * decompression run at the same time as the caller's work, and no file is ever in memory as a whole.
 *
 * It compares the checksum with that of the header alone. fetcher/verify.h compares size and hash of the
 * whole file with the repository's when the file is received. */
#pragma once

#include <stdatomic.h>

#include "lib/package/header.h"
#include "lib/package/limits.h"

struct source;

/* Options of one reading; the strings, limits and flag must outlive it. If 'cancel' (may be NULL) becomes
 * true, reading ends soon with −ECANCELED. */
struct source_options {
    const char *what; /* names the file in messages */
    const struct package_limits *limits;
    const atomic_bool *cancel;
    unsigned threads; /* for decoding xz; 0: two */
};

/* Starts to read the data block of 'size' bytes at 'offset'. 'fd' and 'p' are borrowed until
 * source_free(). */
int source_start(int fd, uint64_t offset, uint64_t size, const struct package *p,
                 const struct source_options *options, struct source **ret, struct error *e);

/* Returns 1 with the next chunk, valid until the next call; 0 at the end; or a negative errno. It returns
 * 0 only if the compressed stream ended properly, no data follows, and the checksum is correct. */
int source_next(struct source *s, const void **ret, size_t *ret_size, struct error *e);

/* Reads and hashes the rest without decompressing it, for a caller that ends with an error of its own. If
 * the checksum is wrong, that error replaces *e, since it is the better explanation. */
void source_explain(struct source *s, struct error *e);

/* Return the bytes of the data block read and decompressed so far. */
uint64_t source_bytes_read(const struct source *s);
uint64_t source_bytes_decoded(const struct source *s);

/* Returns, after the end, the offset in the decompressed stream from which it contains only zeros. */
uint64_t source_zeros_from(const struct source *s);

/* Stops the thread, waits for it, and frees the source. */
struct source *source_free(struct source *s);
DEFINE_CLEANUP(struct source *, source_free);
