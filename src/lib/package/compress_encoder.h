/* The encoders of data blocks. */
#pragma once

#include "lib/package/compress.h"

struct encoder;

/* 'level' of −1 is the library's own default (xz and gzip 6, zstd 3). The output depends on input and level
 * alone. */
int encoder_new(enum compression c, int level, struct encoder **ret, struct error *e);
struct encoder *encoder_free(struct encoder *x);
DEFINE_CLEANUP(struct encoder *, encoder_free);

/* The same contract as decoder_run; with 'last' it is called until it returns 1. */
int encoder_run(struct encoder *x, struct codec_buffers *b, bool last, struct error *e);
