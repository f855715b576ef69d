/* Implements data_block.h. */
#include "lib/package/data_block.h"

#include <errno.h>
#include <openssl/evp.h>

#include "lib/basic/fs.h"
#include "lib/package/compress_encoder.h"

#define OUTPUT_SIZE (256 * 1024)

struct data_block {
    int fd;
    struct encoder *encoder;
    EVP_MD_CTX *hash;
    uint64_t size;
    uint8_t output[OUTPUT_SIZE];
};

struct data_block *data_block_free(struct data_block *d)
{
    if (!d)
        return NULL;
    encoder_free(d->encoder);
    EVP_MD_CTX_free(d->hash);
    free(d);
    return NULL;
}

int data_block_new(int fd, enum compression c, int level, struct data_block **ret, struct error *e)
{
    _cleanup_(cleanup_data_block_free) struct data_block *d = xcalloc(1, sizeof *d);
    d->fd = fd;
    d->hash = EVP_MD_CTX_new();
    if (!d->hash || EVP_DigestInit_ex(d->hash, EVP_sha256(), NULL) != 1)
        return error_os(e, ENOMEM, "cannot hash");
    int r = encoder_new(c, level, &d->encoder, e);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(d);
    return 0;
}

static int put(struct data_block *d, const void *data, size_t size, bool last, struct error *e)
{
    struct codec_buffers b = {data, size, NULL, 0};
    int r = 0;
    while (r == 0 && (b.in_size > 0 || last)) {
        b.out = d->output;
        b.out_size = OUTPUT_SIZE;
        r = encoder_run(d->encoder, &b, last, e);
        if (r < 0)
            return r;
        size_t n = OUTPUT_SIZE - b.out_size;
        int q = write_all(d->fd, d->output, n);
        if (q < 0)
            return error_os(e, -q, "cannot write the data block");
        if (EVP_DigestUpdate(d->hash, d->output, n) != 1)
            return error_os(e, ENOMEM, "cannot hash");
        d->size += n;
    }
    return 0;
}

int data_block_write(struct data_block *d, const void *data, size_t size, struct error *e)
{
    return put(d, data, size, false, e);
}

int data_block_finish(struct data_block *d, uint64_t *ret_size, char ret_sha256[SHA256_HEX_SIZE],
                      struct error *e)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int r = put(d, "", 0, true, e);
    if (r < 0)
        return r;
    if (EVP_DigestFinal_ex(d->hash, digest, &n) != 1)
        return error_os(e, ENOMEM, "cannot hash");
    bytes_to_hex(digest, n, ret_sha256);
    *ret_size = d->size;
    return 0;
}
