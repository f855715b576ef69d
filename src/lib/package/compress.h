/* Compression of data blocks: which one it is, by name and by what the bytes say, and streaming both ways.
 *
 * xz is decoded and encoded by several threads (liblzma); gzip and zstd by their libraries. A data block is
 * exactly one stream: what follows its end is trailing data, left to the caller, who refuses it. */
#pragma once

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

enum compression { COMPRESSION_NONE, COMPRESSION_XZ, COMPRESSION_GZIP, COMPRESSION_ZSTD, _COMPRESSION_MAX };

/* "none" (or ""), "xz", "gzip", "zstd": 0 or −EINVAL. */
int compression_from_string(const char *s, enum compression *ret);
const char *compression_to_string(enum compression c);
/* As release.compress has it: "" for none. */
const char *compression_to_header(enum compression c);

/* What the first bytes of a data block say; 8 are enough. Everything without a known magic is "none". */
enum compression compression_detect(const void *data, size_t size);

/* Input and output of one call: each is advanced past what was used. */
struct codec_buffers {
    const uint8_t *in;
    size_t in_size;
    uint8_t *out;
    size_t out_size;
};

struct decoder;

/* 'threads' is for xz alone; 0: two. xz's own checksums are not looked at, since the whole data block has a
 * better one (release.checksum), which every reader holds against it. The caller frees with decoder_free. */
int decoder_new(enum compression c, unsigned threads, struct decoder **ret, struct error *e);
struct decoder *decoder_free(struct decoder *d);
DEFINE_CLEANUP(struct decoder *, decoder_free);

/* Decodes until the input is used up or the output is full. 'last' says that no input follows after this.
 * Returns 1 at the end of the stream, 0 before, or a negative errno: −EBADMSG for damaged or truncated data.
 */
int decoder_run(struct decoder *d, struct codec_buffers *b, bool last, struct error *e);
