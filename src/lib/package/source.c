/* Implements source.h. */
#include "lib/package/source.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

#define INPUT_SIZE (256 * 1024)
#define CHUNK_SIZE (256 * 1024)
#define CHUNKS     16 /* 4 MiB in total: an xz block, so that the decoders do not wait for the caller */

struct chunk {
    uint8_t *data;
    size_t size;
};

struct source {
    int fd;
    uint64_t at, end; /* within the file */
    uint64_t size;    /* of the data block in bytes */
    const struct package *package;
    struct source_options options;
    EVP_MD_CTX *hash;
    struct decoder *decoder;
    uint8_t *input;
    pthread_t thread;
    bool thread_started;
    atomic_ullong bytes_read, bytes_decoded;
    uint64_t zeros_from;

    pthread_mutex_t mutex; /* protects the members below */
    pthread_cond_t changed;
    struct chunk chunks[CHUNKS];
    size_t first, filled; /* the ring: 'filled' chunks from 'first' on contain data for the caller */
    bool lent;            /* the caller uses the first of them */
    bool discard;         /* no chunks are needed any more: only the hash is completed */
    atomic_bool stop;     /* the thread ends at once */
    bool done;
    int result;
    bool checksum_wrong;
    struct error error;
};

static bool is_cancelled(const struct source *s)
{
    return s->options.cancel && atomic_load_explicit(s->options.cancel, memory_order_relaxed);
}

static int cancelled(const struct source *s, struct error *e)
{
    return error_retry(e, ECANCELED, "reading %s was cancelled", s->options.what);
}

/* Reads up to INPUT_SIZE bytes and hashes them. Returns their number or a negative errno. */
static ssize_t read_input(struct source *s, uint8_t *buffer, struct error *e)
{
    size_t want = s->end - s->at < INPUT_SIZE ? (size_t)(s->end - s->at) : INPUT_SIZE, n = 0;
    while (n < want) {
        ssize_t got = pread(s->fd, buffer + n, want - n, (off_t)s->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_os(e, errno, "cannot read %s", s->options.what);
        if (got == 0)
            return error_refuse(e, EBADMSG, "%s became shorter while it was read", s->options.what);
        n += (size_t)got;
        s->at += (uint64_t)got;
    }
    if (EVP_DigestUpdate(s->hash, buffer, n) != 1)
        return error_os(e, ENOMEM, "cannot hash %s", s->options.what);
    atomic_fetch_add_explicit(&s->bytes_read, n, memory_order_relaxed);
    return (ssize_t)n;
}

/* Waits for a free chunk. Returns NULL if chunks are no longer needed. */
static struct chunk *wait_for_room(struct source *s)
{
    struct chunk *c = NULL;
    pthread_mutex_lock(&s->mutex);
    while (s->filled == CHUNKS && !s->discard && !s->stop)
        pthread_cond_wait(&s->changed, &s->mutex);
    if (!s->discard && !s->stop)
        c = &s->chunks[(s->first + s->filled) % CHUNKS];
    pthread_mutex_unlock(&s->mutex);
    return c;
}

static void publish(struct source *s, struct chunk *c, size_t size)
{
    uint64_t before = atomic_load_explicit(&s->bytes_decoded, memory_order_relaxed);
    size_t n = size;
    while (n > 0 && c->data[n - 1] == 0)
        n--;
    if (n > 0)
        s->zeros_from = before + n;
    atomic_store_explicit(&s->bytes_decoded, before + size, memory_order_relaxed);
    c->size = size;
    pthread_mutex_lock(&s->mutex);
    s->filled++;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static int check_amount(struct source *s, struct error *e)
{
    const struct package_limits *limits = s->options.limits;
    uint64_t out = atomic_load_explicit(&s->bytes_decoded, memory_order_relaxed), in = s->size;
    if (out > limits->size)
        return error_refuse(e, EFBIG, "%s unpacks to more than %llu bytes", s->options.what,
                            (unsigned long long)limits->size);
    if (out > limits->ratio_from && out / limits->ratio > in)
        return error_refuse(e, EFBIG, "%s unpacks to more than %llu times its size", s->options.what,
                            (unsigned long long)limits->ratio);
    return 0;
}

/* Decodes the input. Returns 1 at the end of the compressed stream, 0 before it or if chunks are no longer
 * needed. */
static int decode_input(struct source *s, struct chunk **c, size_t *used, size_t n, bool last,
                        struct error *e)
{
    struct codec_buffers b = {s->input, n, NULL, 0};
    int r = 0;
    while (r == 0 && (b.in_size > 0 || last)) {
        if (!*c) {
            *c = wait_for_room(s);
            *used = 0;
        }
        if (!*c)
            return 0;
        b.out = (*c)->data + *used;
        b.out_size = CHUNK_SIZE - *used;
        r = decoder_run(s->decoder, &b, last, e);
        if (r < 0) {
            error_prefix(e, "%s", s->options.what);
            return r;
        }
        *used = CHUNK_SIZE - b.out_size;
        if ((*used == CHUNK_SIZE || r == 1) && *used > 0) {
            publish(s, *c, *used);
            *c = NULL;
            int limit = check_amount(s, e);
            if (limit < 0)
                return limit;
        }
    }
    if (r == 1 && (b.in_size > 0 || !last))
        return error_refuse(e, EBADMSG, "%s has trailing data after the end of its %s stream",
                            s->options.what, compression_to_string(s->package->compression));
    return r;
}

static int check_compression(const struct source *s, const uint8_t *input, size_t n, struct error *e)
{
    enum compression is = compression_detect(input, n), said = s->package->compression;
    if (is == said)
        return 0;
    return error_refuse(e, EBADMSG, "the data block of %s is %s, but its header says %s", s->options.what,
                        is == COMPRESSION_NONE ? "not compressed in a known way" : compression_to_string(is),
                        compression_to_string(said));
}

/* Returns a chunk into which an uncompressed file is read without a copy. NULL for compressed data, and if
 * chunks are no longer needed. */
static struct chunk *direct_chunk(struct source *s)
{
    _Static_assert(INPUT_SIZE == CHUNK_SIZE, "what is read at once fits into a chunk");
    return s->package->compression == COMPRESSION_NONE ? wait_for_room(s) : NULL;
}

/* Decodes the whole data block. An error is kept in *e until the rest has been hashed. */
static int run(struct source *s, struct error *e)
{
    struct chunk *c = NULL;
    size_t used = 0;
    bool first = true;
    int why = 0;
    while (s->at < s->end) {
        struct error reading = ERROR_INIT;
        struct chunk *direct = why == 0 ? direct_chunk(s) : NULL;
        const uint8_t *input = direct ? direct->data : s->input;
        if (is_cancelled(s) || s->stop)
            return cancelled(s, e);
        ssize_t n = read_input(s, direct ? direct->data : s->input, &reading);
        if (n < 0) {
            *e = reading;
            return (int)n;
        }
        if (why == 0 && first)
            why = check_compression(s, input, (size_t)n, e);
        first = false;
        if (why < 0)
            continue;
        if (direct) {
            publish(s, direct, (size_t)n);
            why = check_amount(s, e);
        } else if (s->package->compression != COMPRESSION_NONE) {
            int r = decode_input(s, &c, &used, (size_t)n, s->at == s->end, e);
            why = r < 0 ? r : 0;
        }
    }
    return why;
}

/* Verifies the checksum. A wrong checksum replaces the decoder's error: it explains the cause better. */
static int check_checksum(struct source *s, struct error *e)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    if (EVP_DigestFinal_ex(s->hash, digest, &size) != 1)
        return error_os(e, ENOMEM, "cannot hash %s", s->options.what);
    bytes_to_hex(digest, size, hex);
    if (streq(hex, s->package->sha256))
        return 0;
    s->checksum_wrong = true;
    return error_refuse(e, EBADMSG, "%s is damaged: its data block has the checksum sha256:%s, not sha256:%s",
                        s->options.what, hex, s->package->sha256);
}

static void *source_main(void *userdata)
{
    struct source *s = userdata;
    struct error e = ERROR_INIT, sum = ERROR_INIT;
    int r = run(s, &e);
    if (s->at == s->end) {
        int q = check_checksum(s, &sum);
        if (q < 0) {
            r = q;
            e = sum;
        }
    }
    pthread_mutex_lock(&s->mutex);
    s->done = true;
    s->result = r;
    s->error = e;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

struct source *source_free(struct source *s)
{
    if (!s)
        return NULL;
    if (s->thread_started) {
        pthread_mutex_lock(&s->mutex);
        s->stop = true;
        pthread_cond_signal(&s->changed);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
    }
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->changed);
    EVP_MD_CTX_free(s->hash);
    decoder_free(s->decoder);
    for (size_t i = 0; i < CHUNKS; i++)
        free(s->chunks[i].data);
    free(s->input);
    free(s);
    return NULL;
}

int source_start(int fd, uint64_t offset, uint64_t size, const struct package *p,
                 const struct source_options *options, struct source **ret, struct error *e)
{
    _cleanup_(cleanup_source_free) struct source *s = xcalloc(1, sizeof *s);
    s->fd = fd;
    s->at = offset;
    s->end = offset + size;
    s->size = size;
    s->package = p;
    s->options = *options;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->input = xcalloc(1, INPUT_SIZE);
    for (size_t i = 0; i < CHUNKS; i++)
        s->chunks[i].data = xcalloc(1, CHUNK_SIZE);
    s->hash = EVP_MD_CTX_new();
    if (!s->hash || EVP_DigestInit_ex(s->hash, EVP_sha256(), NULL) != 1)
        return error_os(e, ENOMEM, "cannot hash %s", options->what);
    int r = decoder_new(p->compression, options->threads, &s->decoder, e);
    if (r < 0)
        return r;
    r = pthread_create(&s->thread, NULL, source_main, s);
    if (r != 0)
        return error_os(e, r, "cannot start a thread to read %s", options->what);
    s->thread_started = true;
    *ret = TAKE_PTR(s);
    return 0;
}

int source_next(struct source *s, const void **ret, size_t *ret_size, struct error *e)
{
    int r = 1;
    pthread_mutex_lock(&s->mutex);
    if (s->lent) {
        s->lent = false;
        s->first = (s->first + 1) % CHUNKS;
        s->filled--;
        pthread_cond_signal(&s->changed);
    }
    while (s->filled == 0 && !s->done)
        pthread_cond_wait(&s->changed, &s->mutex);
    if (s->filled > 0) {
        s->lent = true;
        *ret = s->chunks[s->first].data;
        *ret_size = s->chunks[s->first].size;
    } else {
        r = s->result;
        if (r < 0 && e)
            *e = s->error;
    }
    pthread_mutex_unlock(&s->mutex);
    return r;
}

void source_explain(struct source *s, struct error *e)
{
    pthread_mutex_lock(&s->mutex);
    s->discard = true;
    pthread_cond_signal(&s->changed);
    while (!s->done)
        pthread_cond_wait(&s->changed, &s->mutex);
    if (s->checksum_wrong && e)
        *e = s->error;
    pthread_mutex_unlock(&s->mutex);
}

uint64_t source_bytes_read(const struct source *s)
{
    return atomic_load_explicit(&s->bytes_read, memory_order_relaxed);
}

uint64_t source_bytes_decoded(const struct source *s)
{
    return atomic_load_explicit(&s->bytes_decoded, memory_order_relaxed);
}

uint64_t source_zeros_from(const struct source *s)
{
    return s->zeros_from;
}
