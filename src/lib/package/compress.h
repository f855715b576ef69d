/* Names and detects the compression of data blocks, and decodes them as streams.
 *
 * liblzma decodes xz with several threads. A data block is exactly one stream: data after its end is left
 * to the caller, who refuses it. */
#pragma once

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

enum compression { COMPRESSION_NONE, COMPRESSION_XZ, COMPRESSION_GZIP, COMPRESSION_ZSTD, _COMPRESSION_MAX };

/* Parses "none" (or ""), "xz", "gzip" or "zstd". Returns 0 or −EINVAL. */
int compression_from_string(const char *s, enum compression *ret);
const char *compression_to_string(enum compression c);
/* Returns the name as release.compress contains it: "" for none. */
const char *compression_to_header(enum compression c);

/* Detects the compression from the first bytes of a data block; 8 are sufficient. Data without a known
 * magic number is "none". */
enum compression compression_detect(const void *data, size_t size);

/* Input and output of one call, which advances each past the bytes it used. */
struct codec_buffers {
    const uint8_t *in;
    size_t in_size;
    uint8_t *out;
    size_t out_size;
};

struct decoder;

/* Creates a decoder; the caller frees it with decoder_free(). 'threads' is for xz only; 0: two. xz's own
 * checksums are not verified, since every reader verifies release.checksum of the whole data block. */
int decoder_new(enum compression c, unsigned threads, struct decoder **ret, struct error *e);
struct decoder *decoder_free(struct decoder *d);
DEFINE_CLEANUP(struct decoder *, decoder_free);

/* Decodes until the input is used or the output is full. 'last' states that no further input follows.
 * Returns 1 at the end of the stream, 0 before it, or a negative errno: −EBADMSG (refused) for damaged or
 * truncated data. */
int decoder_run(struct decoder *d, struct codec_buffers *b, bool last, struct error *e);
