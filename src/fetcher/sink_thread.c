/* Implements sink_thread.h: all parts of a download that wait for the disk or compute. */
#include "fetcher/sink_thread.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetcher/sink_types.h"
#include "fetcher/verify.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"

/* After this many bytes the kernel is told to write back, so that the final sync is short, and the free space
 * is checked. */
#define PUSH_SIZE (UINT64_C(8) << 20)
/* A prefix of this many bytes is hashed in a fraction of a second. */
#define PREFIX_WORTH (UINT64_C(64) << 20)

static const char *id_of(const struct sink *s)
{
    return s->options.package->id;
}

static void wake_loop(struct sink *s)
{
    const uint64_t one = 1;
    if (write(s->event_fd, &one, sizeof one) < 0)
        /* EAGAIN: the loop is awake already. */
        return;
}

static int check_space(struct sink *s, struct error *e)
{
    uint64_t left;
    int r = store_free_space(s->options.store, &left, e);
    if (r < 0 || left >= s->options.keep_free)
        return r;
    return error_retry(
        e, ENOSPC, "package '%s': only %llu bytes are left on the filesystem of '%s', %llu must stay free",
        id_of(s), (unsigned long long)left, s->options.store->path, (unsigned long long)s->options.keep_free);
}

/* Checks the limits of the size, and from time to time the free space. */
static int push(struct sink *s, struct error *e)
{
    uint64_t at = s->digest.position;
    if (s->options.package->size == 0 && at > s->options.size_max)
        return error_fail(e, EFBIG, "package '%s' is larger than %llu bytes ([fetcher] max_size)", id_of(s),
                          (unsigned long long)s->options.size_max);
    if (s->options.package->size > 0 && at > (uint64_t)s->options.package->size)
        return error_fail(e, EBADMSG, "what was received is not package '%s': it has more than %lld bytes",
                          id_of(s), (long long)s->options.package->size);
    if (at - s->pushed < PUSH_SIZE)
        return 0;
    (void)sync_file_range(s->fd, (off_t)s->pushed, (off_t)(at - s->pushed), SYNC_FILE_RANGE_WRITE);
    s->pushed = at;
    wake_loop(s);
    return check_space(s, e);
}

static int take_bytes(struct sink *s, const uint8_t *data, size_t size, struct error *e)
{
    uint64_t at = s->digest.position;
    int r = digest_add(&s->digest, data, size, id_of(s), e);
    if (r < 0)
        return r;
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(s->fd, data + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_os(e, errno, "cannot write package '%s' below '%s'", id_of(s),
                            s->options.store->path);
        done += (size_t)n;
    }
    r = failpoint("fetch.bytes");
    return r < 0 ? error_os(e, -r, "failpoint") : push(s, e);
}

/* Starts over. The old facts are removed before the bytes that they describe, and the new facts are written
 * before the new bytes. */
static int restart(struct sink *s, const char *facts, struct error *e)
{
    facts_remove(s->options.store->partial_fd, id_of(s));
    if (ftruncate(s->fd, 0) < 0)
        return error_os(e, errno, "cannot empty the partial file of package '%s'", id_of(s));
    s->pushed = 0;
    int r = digest_init(&s->digest, e);
    if (r >= 0)
        r = facts_write(s->options.store->partial_fd, id_of(s), facts, e);
    if (r < 0)
        return r;
    r = failpoint("fetch.begun");
    return r < 0 ? error_os(e, -r, "failpoint") : 0;
}

static ssize_t read_some(struct sink *s, int fd, uint64_t at, size_t size, struct error *e)
{
    for (;;) {
        ssize_t n = pread(fd, s->buffer, size, (off_t)at);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return error_os(e, errno, "cannot read package '%s'", id_of(s));
    }
}

/* Hashes the next bytes that an earlier process received. */
static int hash_prefix(struct sink *s, uint64_t end, struct error *e)
{
    uint64_t left = end - s->digest.position;
    ssize_t n =
        read_some(s, s->fd, s->digest.position, left < SINK_CHUNK_SIZE ? (size_t)left : SINK_CHUNK_SIZE, e);
    if (n < 0)
        return (int)n;
    if (n == 0)
        return error_retry(e, EIO, "the partial file of package '%s' became shorter while it was read",
                           id_of(s));
    s->pushed = s->digest.position + (uint64_t)n;
    return digest_add(&s->digest, s->buffer, (size_t)n, id_of(s), e);
}

/* Copies the next bytes of a local file. Returns 1, 0 at the end of the file, or a negative errno. On a file
 * system that can share blocks, the whole file is cloned first; then it only has to be hashed. */
static int copy_some(struct sink *s, int from, struct error *e)
{
    if (s->digest.position == 0 && ioctl(s->fd, FICLONE, from) == 0) {
        struct stat st;
        if (fstat(s->fd, &st) < 0)
            return error_os(e, errno, "cannot stat the partial file of package '%s'", id_of(s));
        pthread_mutex_lock(&s->mutex);
        s->prefix_end = (uint64_t)st.st_size;
        s->position = s->prefix_end;
        pthread_mutex_unlock(&s->mutex);
        return 0;
    }
    ssize_t n = read_some(s, from, s->digest.position, SINK_CHUNK_SIZE, e);
    if (n <= 0)
        return (int)n;
    int r = take_bytes(s, s->buffer, (size_t)n, e);
    pthread_mutex_lock(&s->mutex);
    if (!s->restart)
        s->position = s->digest.position;
    pthread_mutex_unlock(&s->mutex);
    return r < 0 ? r : 1;
}

static int verify_and_publish(struct sink *s, struct error *e)
{
    const struct package_reference *p = s->options.package;
    int r = failpoint("fetch.received");
    if (r >= 0)
        r = digest_verify(&s->digest, s->fd, p, e);
    if (r < 0)
        return e->errnum ? r : error_os(e, -r, "failpoint");
    r = failpoint("fetch.verified");
    if (r < 0)
        return error_os(e, -r, "failpoint");
    if (fchmod(s->fd, 0644) < 0 || fsync(s->fd) < 0)
        return error_os(e, errno, "cannot sync package '%s'", id_of(s));
    r = failpoint("fetch.synced");
    return r < 0 ? error_os(e, -r, "failpoint") : store_publish(s->options.store, p->name, p->id, e);
}

/* Writes bytes from the ring. They are copied first, because a restart gives the space in the ring to new
 * bytes at once. The mutex is held by the caller and at return. */
static int take_from_ring(struct sink *s, struct error *e)
{
    size_t n = SINK_RING_SIZE - s->first < s->filled ? SINK_RING_SIZE - s->first : s->filled;
    n = n < SINK_CHUNK_SIZE ? n : SINK_CHUNK_SIZE;
    memcpy(s->buffer, s->ring + s->first, n);
    s->first = (s->first + n) % SINK_RING_SIZE;
    s->filled -= n;
    if (s->want_room && s->filled < SINK_RING_SIZE / 2) {
        s->want_room = false;
        wake_loop(s);
    }
    pthread_mutex_unlock(&s->mutex);
    int r = take_bytes(s, s->buffer, n, e);
    pthread_mutex_lock(&s->mutex);
    return r;
}

/* Executes the next step. The mutex is held by the caller and at return. Returns 1 when the package is
 * published, 0 if there is more to do, or a negative errno. */
static int step(struct sink *s, struct error *e)
{
    int r;
    if (s->restart) {
        _cleanup_free_ char *facts = TAKE_PTR(s->facts);
        s->restart = false;
        s->prefix_end = 0;
        pthread_mutex_unlock(&s->mutex);
        r = restart(s, facts, e);
    } else if (s->digest.position < s->prefix_end) {
        uint64_t end = s->prefix_end;
        pthread_mutex_unlock(&s->mutex);
        r = hash_prefix(s, end, e);
    } else if (s->filled > 0) {
        return take_from_ring(s, e);
    } else if (s->copy_fd >= 0) {
        int from = s->copy_fd;
        pthread_mutex_unlock(&s->mutex);
        r = copy_some(s, from, e);
        pthread_mutex_lock(&s->mutex);
        if (r == 0) {
            s->copy_fd = close_fd(s->copy_fd);
            s->ended = true;
        }
        return r < 0 ? r : 0;
    } else if (s->ended) {
        s->verifying = true;
        wake_loop(s);
        pthread_mutex_unlock(&s->mutex);
        r = verify_and_publish(s, e);
        pthread_mutex_lock(&s->mutex);
        return r < 0 ? r : 1;
    } else {
        pthread_cond_wait(&s->changed, &s->mutex);
        return 0;
    }
    pthread_mutex_lock(&s->mutex);
    return r;
}

/* Reports whether a stopping thread can end here. It first writes the bytes in the ring, so that they need
 * not be received again, unless a long prefix would have to be hashed before. */
static bool stops_here(const struct sink *s)
{
    bool long_prefix = !s->restart && s->digest.position + PREFIX_WORTH < s->prefix_end;
    return s->filled == 0 || long_prefix;
}

void *sink_thread(void *userdata)
{
    struct sink *s = userdata;
    struct error e = ERROR_INIT;
    int r = 0;
    pthread_mutex_lock(&s->mutex);
    while (r == 0 && !(s->stop && stops_here(s))) {
        r = step(s, &e);
        if (r < 0 && s->restart && r == -EBADMSG)
            /* The bytes of the earlier process are not a package's, and the restart discards them. */
            r = 0;
    }
    s->result = r;
    s->error = e;
    wake_loop(s);
    /* The loop reads the result and then stops the thread. */
    while (!s->stop)
        pthread_cond_wait(&s->changed, &s->mutex);
    s->over = true;
    wake_loop(s);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}
