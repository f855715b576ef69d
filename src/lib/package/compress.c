/* Implements compress.h. */
#include "lib/package/compress.h"

#include <assert.h>
#include <errno.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

/* Two threads decode 4 MiB blocks with 37 MiB of memory and xz's default blocks with 137 MiB. Beyond the
 * first limit liblzma uses one thread, beyond the second it refuses (a file can demand a dictionary of 1.5
 * GiB). */
#define XZ_THREADS          2
#define XZ_MEMORY_THREADING (UINT64_C(160) * 1024 * 1024)
#define XZ_MEMORY_STOP      (UINT64_C(256) * 1024 * 1024)
#define ZSTD_WINDOW_LOG_MAX 27 /* 128 MiB, what zstd itself accepts without --long */

static const char *const names[] = {"none", "xz", "gzip", "zstd"};
static_assert(ARRAY_SIZE(names) == _COMPRESSION_MAX, "every compression has a name");

int compression_from_string(const char *s, enum compression *ret)
{
    if (!*s)
        s = names[COMPRESSION_NONE];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(s, names[i])) {
            *ret = (enum compression)i;
            return 0;
        }
    return -EINVAL;
}

const char *compression_to_string(enum compression c)
{
    return names[c];
}

const char *compression_to_header(enum compression c)
{
    return c == COMPRESSION_NONE ? "" : names[c];
}

enum compression compression_detect(const void *data, size_t size)
{
    static const struct {
        enum compression compression;
        size_t size;
        const char *magic;
    } magics[] = {
        {COMPRESSION_XZ, 6,
         "\xfd"
         "7zXZ\0"},
        {COMPRESSION_GZIP, 2, "\x1f\x8b"},
        {COMPRESSION_ZSTD, 4, "\x28\xb5\x2f\xfd"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
        if (size >= magics[i].size && memcmp(data, magics[i].magic, magics[i].size) == 0)
            return magics[i].compression;
    return COMPRESSION_NONE;
}

struct decoder {
    enum compression compression;
    bool ended;
    lzma_stream xz;
    z_stream gzip;
    ZSTD_DCtx *zstd;
};

struct decoder *decoder_free(struct decoder *d)
{
    if (!d)
        return NULL;
    if (d->compression == COMPRESSION_XZ)
        lzma_end(&d->xz);
    if (d->compression == COMPRESSION_GZIP)
        inflateEnd(&d->gzip);
    ZSTD_freeDCtx(d->zstd);
    free(d);
    return NULL;
}

int decoder_new(enum compression c, unsigned threads, struct decoder **ret, struct error *e)
{
    _cleanup_(cleanup_decoder_free) struct decoder *d = xcalloc(1, sizeof *d);
    bool ok = true;
    if (c == COMPRESSION_XZ) {
        lzma_mt options = {
            .flags = LZMA_IGNORE_CHECK,
            .threads = threads ?: XZ_THREADS,
            .memlimit_threading = XZ_MEMORY_THREADING,
            .memlimit_stop = XZ_MEMORY_STOP,
        };
        d->xz = (lzma_stream)LZMA_STREAM_INIT;
        ok = lzma_stream_decoder_mt(&d->xz, &options) == LZMA_OK;
    } else if (c == COMPRESSION_GZIP) {
        ok = inflateInit2(&d->gzip, 15 + 16) == Z_OK; /* 32 KiB window; a gzip header is required */
    } else if (c == COMPRESSION_ZSTD) {
        d->zstd = ZSTD_createDCtx();
        ok = d->zstd &&
             !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
    }
    if (!ok)
        return error_os(e, ENOMEM, "cannot make a decoder for %s", names[c]);
    d->compression = c;
    *ret = TAKE_PTR(d);
    return 0;
}

static int truncated(const struct decoder *d, struct error *e)
{
    return error_refuse(e, EBADMSG, "the %s data is truncated", names[d->compression]);
}

static int damaged(const struct decoder *d, const char *why, struct error *e)
{
    return error_refuse(e, EBADMSG, "the %s data is damaged%s%s", names[d->compression], why ? ": " : "",
                        why ?: "");
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

static int run_xz(struct decoder *d, struct codec_buffers *b, bool last, struct error *e)
{
    d->xz.next_in = b->in;
    d->xz.avail_in = b->in_size;
    d->xz.next_out = b->out;
    d->xz.avail_out = b->out_size;
    lzma_ret r = LZMA_OK;
    while (r == LZMA_OK && d->xz.avail_out > 0 && (d->xz.avail_in > 0 || last))
        r = lzma_code(&d->xz, last ? LZMA_FINISH : LZMA_RUN);
    *b = (struct codec_buffers){d->xz.next_in, d->xz.avail_in, d->xz.next_out, d->xz.avail_out};
    switch (r) {
    case LZMA_OK:
        return 0;
    case LZMA_STREAM_END:
        return 1;
    case LZMA_BUF_ERROR:
        return truncated(d, e);
    case LZMA_MEM_ERROR:
        return error_os(e, ENOMEM, "cannot decode xz");
    case LZMA_MEMLIMIT_ERROR:
        return error_refuse(e, EFBIG, "the xz data needs more than %llu MiB of memory to be decoded",
                            (unsigned long long)(XZ_MEMORY_STOP >> 20));
    default:
        return damaged(d, NULL, e);
    }
}

static int run_gzip(struct decoder *d, struct codec_buffers *b, bool last, struct error *e)
{
    d->gzip.next_in = (Bytef *)(uintptr_t)b->in;
    d->gzip.avail_in = (uInt)b->in_size;
    d->gzip.next_out = b->out;
    d->gzip.avail_out = (uInt)b->out_size;
    int r = inflate(&d->gzip, Z_NO_FLUSH);
    *b = (struct codec_buffers){d->gzip.next_in, d->gzip.avail_in, d->gzip.next_out, d->gzip.avail_out};
    if (r == Z_STREAM_END)
        return 1;
    if (r == Z_MEM_ERROR)
        return error_os(e, ENOMEM, "cannot decode gzip");
    if (r != Z_OK && r != Z_BUF_ERROR)
        return damaged(d, d->gzip.msg, e);
    return last && b->in_size == 0 && b->out_size > 0 ? truncated(d, e) : 0;
}

static int run_zstd(struct decoder *d, struct codec_buffers *b, bool last, struct error *e)
{
    ZSTD_inBuffer in = {b->in, b->in_size, 0};
    ZSTD_outBuffer out = {b->out, b->out_size, 0};
    size_t r = 1;
    while (r != 0 && !ZSTD_isError(r) && out.pos < out.size) {
        size_t in_before = in.pos, out_before = out.pos;
        r = ZSTD_decompressStream(d->zstd, &out, &in);
        if (in.pos == in_before && out.pos == out_before)
            break;
    }
    *b = (struct codec_buffers){b->in + in.pos, b->in_size - in.pos, b->out + out.pos, b->out_size - out.pos};
    if (ZSTD_isError(r))
        return damaged(d, ZSTD_getErrorName(r), e);
    if (r == 0)
        return 1;
    return last && b->in_size == 0 && b->out_size > 0 ? truncated(d, e) : 0;
}

int decoder_run(struct decoder *d, struct codec_buffers *b, bool last, struct error *e)
{
    if (d->ended)
        return 1;
    int r;
    switch (d->compression) {
    case COMPRESSION_XZ:
        r = run_xz(d, b, last, e);
        break;
    case COMPRESSION_GZIP:
        r = run_gzip(d, b, last, e);
        break;
    case COMPRESSION_ZSTD:
        r = run_zstd(d, b, last, e);
        break;
    default:
        r = run_none(b, last);
    }
    d->ended = r == 1;
    return r;
}
