/* Implements sink.h on the side of the event loop. sink_thread.c is the thread. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetcher/sink_thread.h"
#include "fetcher/sink_types.h"
#include "fetcher/verify.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"

static void sink_destroy(struct sink *s)
{
    sd_event_source_disable_unref(s->source);
    close_fd(s->fd);
    close_fd(s->copy_fd);
    close_fd(s->event_fd);
    digest_done(&s->digest);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->changed);
    free(s->facts);
    free(s->ring);
    free(s->buffer);
    free(s);
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct sink *s = userdata;
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return -errno;
    pthread_mutex_lock(&s->mutex);
    bool over = s->over, stopping = s->stop;
    pthread_mutex_unlock(&s->mutex);
    if (!stopping) {
        s->options.on_change(s->options.userdata);
        return 0;
    }
    if (!over)
        return 0;
    void (*on_stopped)(void *) = s->on_stopped;
    void *on_stopped_userdata = s->on_stopped_userdata;
    pthread_join(s->thread, NULL);
    sink_destroy(s);
    on_stopped(on_stopped_userdata);
    return 0;
}

/* Opens the partial file. The next attempt continues at its end. */
static int open_partial(struct sink *s, bool fresh, struct error *e)
{
    const char *id = s->options.package->id;
    const struct store *store = s->options.store;
    _cleanup_free_ char *file = xasprintf("%s.ipk", id);
    struct stat st;
    if (fresh)
        facts_remove(store->partial_fd, id);
    s->fd = openat(store->partial_fd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (fresh ? O_TRUNC : 0),
                   0600);
    if (s->fd < 0 || fstat(s->fd, &st) < 0)
        return error_os(e, errno, "cannot open the partial file of package '%s'", id);
    s->position = (uint64_t)st.st_size;
    int r = failpoint("fetch.partial_opened");
    return r < 0 ? error_os(e, -r, "failpoint") : 0;
}

int sink_new(sd_event *event, const struct sink_options *options, bool fresh, struct sink **ret,
             struct error *e)
{
    struct sink *s = xcalloc(1, sizeof *s);
    *s = (struct sink){.options = *options, .fd = -1, .copy_fd = -1};
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->ring = xcalloc(1, SINK_RING_SIZE);
    s->buffer = xcalloc(1, SINK_CHUNK_SIZE);
    s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = s->event_fd < 0 ? error_os(e, errno, "cannot make an eventfd") : 0;
    if (r >= 0)
        r = open_partial(s, fresh, e);
    if (r >= 0)
        r = digest_init(&s->digest, e);
    if (r >= 0) {
        r = sd_event_add_io(event, &s->source, s->event_fd, EPOLLIN, on_event, s);
        if (r < 0)
            error_os(e, -r, "cannot watch a thread");
    }
    s->prefix_end = s->position;
    if (r >= 0) {
        r = -pthread_create(&s->thread, NULL, sink_thread, s);
        if (r < 0)
            error_os(e, -r, "cannot start a thread");
    }
    if (r < 0) {
        sink_destroy(s);
        return r;
    }
    *ret = s;
    return 0;
}

uint64_t sink_position(struct sink *s)
{
    pthread_mutex_lock(&s->mutex);
    uint64_t position = s->position;
    pthread_mutex_unlock(&s->mutex);
    return position;
}

size_t sink_room(struct sink *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t room = SINK_RING_SIZE - s->filled;
    s->want_room = room < SINK_RING_SIZE / 2;
    pthread_mutex_unlock(&s->mutex);
    return room;
}

void sink_write(struct sink *s, const void *data, size_t size)
{
    pthread_mutex_lock(&s->mutex);
    size_t at = (s->first + s->filled) % SINK_RING_SIZE;
    size_t n = SINK_RING_SIZE - at < size ? SINK_RING_SIZE - at : size;
    memcpy(s->ring + at, data, n);
    memcpy(s->ring, (const uint8_t *)data + n, size - n);
    s->filled += size;
    s->position += size;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

void sink_restart(struct sink *s, const struct facts *facts)
{
    pthread_mutex_lock(&s->mutex);
    free(s->facts);
    s->facts = facts_text(facts);
    s->restart = true;
    s->filled = s->first = 0;
    s->position = 0;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

void sink_copy(struct sink *s, int fd)
{
    pthread_mutex_lock(&s->mutex);
    s->copy_fd = fd;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

void sink_end(struct sink *s)
{
    pthread_mutex_lock(&s->mutex);
    s->ended = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

int sink_result(struct sink *s, struct error *e)
{
    pthread_mutex_lock(&s->mutex);
    int r = s->result;
    if (r < 0 && e)
        *e = s->error;
    pthread_mutex_unlock(&s->mutex);
    return r;
}

bool sink_is_verifying(struct sink *s)
{
    pthread_mutex_lock(&s->mutex);
    bool verifying = s->verifying;
    pthread_mutex_unlock(&s->mutex);
    return verifying;
}

static void ask_to_stop(struct sink *s)
{
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

void sink_stop(struct sink *s, void (*on_stopped)(void *userdata), void *userdata)
{
    s->on_stopped = on_stopped;
    s->on_stopped_userdata = userdata;
    ask_to_stop(s);
}

void sink_free(struct sink *s)
{
    if (!s)
        return;
    ask_to_stop(s);
    pthread_join(s->thread, NULL);
    sink_destroy(s);
}
