/* Implements compress_encoder.h. */
#include "lib/package/compress_encoder.h"

#include <errno.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/package/compress.h"

/* Two threads can decode blocks of this size with little memory; the file grows by about 1 %. */
#define XZ_BLOCK_SIZE (4 * 1024 * 1024)
#define XZ_THREADS    2

struct encoder {
    enum compression compression;
    bool ended;
    lzma_stream xz;
    z_stream gzip;
    ZSTD_CCtx *zstd;
};

struct encoder *encoder_free(struct encoder *x)
{
    if (!x)
        return NULL;
    if (x->compression == COMPRESSION_XZ)
        lzma_end(&x->xz);
    if (x->compression == COMPRESSION_GZIP)
        deflateEnd(&x->gzip);
    ZSTD_freeCCtx(x->zstd);
    free(x);
    return NULL;
}

static bool start_xz(struct encoder *x, int level)
{
    lzma_mt options = {
        .threads = XZ_THREADS,
        .block_size = XZ_BLOCK_SIZE,
        .preset = level < 0 ? LZMA_PRESET_DEFAULT : (uint32_t)level,
        .check = LZMA_CHECK_CRC64,
    };
    x->xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_encoder_mt(&x->xz, &options) == LZMA_OK;
}

static bool start_zstd(struct encoder *x, int level)
{
    x->zstd = ZSTD_createCCtx();
    return x->zstd &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(x->zstd, ZSTD_c_compressionLevel, level < 0 ? 3 : level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(x->zstd, ZSTD_c_checksumFlag, 1));
}

int encoder_new(enum compression c, int level, struct encoder **ret, struct error *e)
{
    int max = c == COMPRESSION_ZSTD ? ZSTD_maxCLevel() : 9;
    if (level > max)
        return error_refuse(e, EINVAL, "%s has no compression level %d: the highest is %d",
                            compression_to_string(c), level, max);
    _cleanup_(cleanup_encoder_free) struct encoder *x = xcalloc(1, sizeof *x);
    bool ok = true;
    if (c == COMPRESSION_XZ)
        ok = start_xz(x, level);
    else if (c == COMPRESSION_GZIP) /* 15 + 16: a gzip header, whose time stays 0 */
        ok = deflateInit2(&x->gzip, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    else if (c == COMPRESSION_ZSTD)
        ok = start_zstd(x, level);
    if (!ok)
        return error_os(e, ENOMEM, "cannot make an encoder for %s", compression_to_string(c));
    x->compression = c;
    *ret = TAKE_PTR(x);
    return 0;
}

static int run_none(struct codec_buffers *b, bool last)
{
    size_t n = b->in_size < b->out_size ? b->in_size : b->out_size;
    memcpy(b->out, b->in, n);
    b->in += n;
    b->in_size -= n;
    b->out += n;
    b->out_size -= n;
    return last && b->in_size == 0;
}

static int run_xz(struct encoder *x, struct codec_buffers *b, bool last)
{
    x->xz.next_in = b->in;
    x->xz.avail_in = b->in_size;
    x->xz.next_out = b->out;
    x->xz.avail_out = b->out_size;
    lzma_ret r = LZMA_OK;
    while (r == LZMA_OK && x->xz.avail_out > 0 && (x->xz.avail_in > 0 || last))
        r = lzma_code(&x->xz, last ? LZMA_FINISH : LZMA_RUN);
    *b = (struct codec_buffers){x->xz.next_in, x->xz.avail_in, x->xz.next_out, x->xz.avail_out};
    return r == LZMA_STREAM_END ? 1 : r == LZMA_OK ? 0 : -ENOMEM;
}

static int run_gzip(struct encoder *x, struct codec_buffers *b, bool last)
{
    x->gzip.next_in = (Bytef *)(uintptr_t)b->in;
    x->gzip.avail_in = (uInt)b->in_size;
    x->gzip.next_out = b->out;
    x->gzip.avail_out = (uInt)b->out_size;
    int r = deflate(&x->gzip, last ? Z_FINISH : Z_NO_FLUSH);
    *b = (struct codec_buffers){x->gzip.next_in, x->gzip.avail_in, x->gzip.next_out, x->gzip.avail_out};
    return r == Z_STREAM_END ? 1 : r == Z_OK || r == Z_BUF_ERROR ? 0 : -EINVAL;
}

static int run_zstd(struct encoder *x, struct codec_buffers *b, bool last)
{
    ZSTD_inBuffer in = {b->in, b->in_size, 0};
    ZSTD_outBuffer out = {b->out, b->out_size, 0};
    size_t left = ZSTD_compressStream2(x->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    *b = (struct codec_buffers){b->in + in.pos, b->in_size - in.pos, b->out + out.pos, b->out_size - out.pos};
    return ZSTD_isError(left) ? -ENOMEM : last && left == 0;
}

int encoder_run(struct encoder *x, struct codec_buffers *b, bool last, struct error *e)
{
    if (x->ended)
        return 1;
    int r;
    switch (x->compression) {
    case COMPRESSION_XZ:
        r = run_xz(x, b, last);
        break;
    case COMPRESSION_GZIP:
        r = run_gzip(x, b, last);
        break;
    case COMPRESSION_ZSTD:
        r = run_zstd(x, b, last);
        break;
    default:
        r = run_none(b, last);
    }
    if (r < 0)
        return error_os(e, -r, "cannot compress with %s", compression_to_string(x->compression));
    x->ended = r == 1;
    return r;
}
