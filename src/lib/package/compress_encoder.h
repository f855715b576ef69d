/* Compresses data blocks as streams. */
#pragma once

#include "lib/package/compress.h"

struct encoder;

/* Creates an encoder; the caller frees it with encoder_free(). 'level' −1 is the library's default (xz and
 * gzip 6, zstd 3). The output depends only on the input and the level. */
int encoder_new(enum compression c, int level, struct encoder **ret, struct error *e);
struct encoder *encoder_free(struct encoder *x);
DEFINE_CLEANUP(struct encoder *, encoder_free);

/* Compresses like decoder_run() decodes. With 'last' the caller repeats the call until it returns 1. */
int encoder_run(struct encoder *x, struct codec_buffers *b, bool last, struct error *e);
