/* Implements stream.h. */
#include "lib/varlink/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/loop/timer.h"
#include "lib/varlink/interface.h"

/* Limit of the time from the first byte of a message to its last. */
#define MESSAGE_TIMEOUT_USEC (30 * USEC_PER_SEC)

struct buffer {
    char *data;
    size_t start, end, room;
};

struct stream {
    sd_event *event;
    int fd;
    sd_event_source *io, *again;
    struct timer timer; /* time-out of an unfinished message */
    struct buffer in, out;
    size_t scanned; /* bytes of 'in' that contain no NUL */
    bool paused, closing, in_callback, freed, broken;
    bool deaf;                      /* the peer accepts no more data; its data is still read */
    struct stream_account *account; /* NULL: none */
    struct stream *next, *previous; /* in the account */
    size_t unsent;                  /* bytes that the account counts for this stream */
    bool waits;                     /* for the end of another stream's large message */
    bool behind;                    /* the next iteration handles received messages before reading more */
    struct error failure;
    stream_message_fn on_message;
    stream_closed_fn on_closed;
    void *userdata;
};

static void buffer_append(struct buffer *b, const void *data, size_t n)
{
    if (b->start == b->end)
        b->start = b->end = 0;
    if (b->end + n > b->room && b->start > 0) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
    }
    if (b->end + n > b->room) {
        size_t room = b->room ? b->room : 4096;
        while (room < b->end + n)
            room *= 2;
        b->data = xrealloc(b->data, room, 1);
        b->room = room;
    }
    memcpy(b->data + b->end, data, n);
    b->end += n;
}

/* Releases the memory of a buffer that is much larger than its content. */
static void buffer_settle(struct buffer *b)
{
    size_t n = b->end - b->start;
    if (b->room > 65536 && n <= b->room / 4) {
        struct buffer small = {.data = NULL};
        if (n > 0)
            buffer_append(&small, b->data + b->start, n);
        free(b->data);
        *b = small;
    } else if (n == 0) {
        b->start = b->end = 0;
    }
}

/* Updates the account's number of unsent bytes. */
static void count_unsent(struct stream *s)
{
    size_t unsent = s->out.end - s->out.start;
    if (s->account)
        s->account->unsent += unsent - s->unsent;
    s->unsent = unsent;
}

static void drop_output(struct stream *s)
{
    s->out.start = s->out.end;
    buffer_settle(&s->out);
    count_unsent(s);
}

static void update_events(struct stream *s)
{
    uint32_t events = EPOLLRDHUP;
    if (!s->paused && !s->closing && !s->waits && !s->behind)
        events |= EPOLLIN;
    if (s->out.end > s->out.start)
        events |= EPOLLOUT;
    /* A peer that has closed only its sending direction still receives replies. While the stream is not read,
     * its hang-up must not make the event loop spin. */
    if (!(events & EPOLLIN))
        events &= ~(uint32_t)EPOLLRDHUP;
    if (s->io)
        sd_event_source_set_io_events(s->io, events);
}

static void stream_break(struct stream *s, int errnum, const char *why);

static void on_timeout(void *userdata)
{
    stream_break(userdata, ETIMEDOUT, "the peer did not finish its message in time");
}

/* Starts the time-out of an unfinished message at its first byte; further bytes do not restart it. The
 * time-out stops while the stream is not read, and starts again from zero afterwards. */
static void time_message(struct stream *s)
{
    bool partial = s->in.end > s->in.start && !s->paused && !s->broken && !s->behind && !s->waits;
    if (!partial)
        timer_stop(&s->timer);
    else if (!timer_armed(&s->timer))
        timer_arm(&s->timer, s->event, MESSAGE_TIMEOUT_USEC, on_timeout, s);
}

/* Gives the permission for a large message to another stream of the account: the last one in the list that
 * waits, which is the oldest. The time-out of that stream's message starts, so that a peer that stays silent
 * does not keep the permission. */
static void release_large(struct stream *s)
{
    if (!s->account || s->account->large != s)
        return;
    struct stream *oldest = NULL;
    for (struct stream *other = s->account->streams; other; other = other->next)
        if (other->waits && !other->broken)
            oldest = other;
    s->account->large = oldest;
    if (oldest) {
        oldest->waits = false;
        time_message(oldest);
        update_events(oldest);
    }
}

/* Returns how many bytes may be read now; 0: none until another stream's large message is complete. */
static size_t readable(struct stream *s, size_t most)
{
    size_t held = s->in.end - s->in.start;
    struct stream_account *a = s->account;
    if (!a || a->large == s)
        return most;
    if (held < VARLINK_SMALL)
        return most < VARLINK_SMALL - held ? most : VARLINK_SMALL - held;
    if (a->large) {
        s->waits = true;
        time_message(s);
        update_events(s);
        return 0;
    }
    a->large = s;
    return most;
}

/* Ends the stream. on_closed is called from the event loop and never from within a call of the owner. */
static void stream_break(struct stream *s, int errnum, const char *why)
{
    if (s->broken)
        return;
    s->broken = true;
    if (errnum)
        error_retry(&s->failure, errnum, "%s", why);
    drop_output(s);
    release_large(s);
    if (s->io)
        sd_event_source_set_enabled(s->io, SD_EVENT_OFF);
    sd_event_source_set_enabled(s->again, SD_EVENT_ONESHOT);
}

static void flush_output(struct stream *s)
{
    while (s->out.end > s->out.start) {
        ssize_t n =
            send(s->fd, s->out.data + s->out.start, s->out.end - s->out.start, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            /* A server may have sent an error before it closed the connection: the stream still reads it, and
             * then the end. */
            s->deaf = true;
            s->out.start = s->out.end;
            if (s->account || s->paused || s->closing)
                stream_break(s, ECONNRESET, "the peer closed the connection");
            break;
        }
        s->out.start += (size_t)n;
    }
    buffer_settle(&s->out);
    count_unsent(s);
    if (s->broken)
        return;
    if (s->closing && s->out.end == s->out.start)
        stream_break(s, 0, NULL);
    else
        update_events(s);
}

/* Ends the connections with most unsent bytes until the account is within its limit. */
static void bound_account(struct stream_account *a)
{
    while (a->unsent > a->unsent_max) {
        struct stream *most = a->streams;
        for (struct stream *s = most->next; s; s = s->next)
            if (s->unsent > most->unsent)
                most = s;
        stream_break(most, ENOBUFS, "the peer does not read the replies on its connections");
    }
}

int stream_send(struct stream *s, json_t *message)
{
    if (s->broken || s->deaf)
        return 0;
    char *text = json_dumps(message, JSON_COMPACT);
    if (!text)
        abort();
    size_t size = strlen(text);
    bool fits = size <= VARLINK_MESSAGE_MAX && varlink_values(text, size) <= VARLINK_VALUES_MAX;
    if (fits)
        buffer_append(&s->out, text, size + 1);
    free(text);
    if (!fits)
        return -EMSGSIZE;
    flush_output(s);
    if (!s->broken && stream_pending(s) > VARLINK_OUTPUT_MAX)
        stream_break(s, ENOBUFS, "the peer does not read its replies");
    if (s->account)
        bound_account(s->account);
    return 0;
}

void stream_set_account(struct stream *s, struct stream_account *account)
{
    s->account = account;
    s->next = account->streams;
    if (s->next)
        s->next->previous = s;
    account->streams = s;
}

static void leave_account(struct stream *s)
{
    if (!s->account)
        return;
    drop_output(s);
    release_large(s);
    if (s->previous)
        s->previous->next = s->next;
    else
        s->account->streams = s->next;
    if (s->next)
        s->next->previous = s->previous;
    s->account = NULL;
}

bool stream_idle(struct stream *s)
{
    int waiting;
    return !s->broken && s->in.end == s->in.start && s->out.end == s->out.start &&
           (ioctl(s->fd, FIONREAD, &waiting) < 0 || waiting == 0);
}

size_t stream_pending(struct stream *s)
{
    return s->out.end - s->out.start;
}

bool stream_peer_gone(struct stream *s)
{
    struct pollfd p = {.fd = s->fd};
    return s->broken || (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)));
}

void stream_close_when_sent(struct stream *s)
{
    s->closing = true;
    if (!s->broken)
        flush_output(s);
}

/* Passes one message to the owner. Returns 0 to continue, 1 when the stream is paused or broken, or −1 when
 * it was freed. */
static int handle_message(struct stream *s, const char *text, size_t n)
{
    json_error_t je;
    if (varlink_values(text, n) > VARLINK_VALUES_MAX) {
        stream_break(s, E2BIG, "the peer sent a message with too many values");
        return 1;
    }
    json_t *message = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!message || !json_is_object(message)) {
        json_decref(message);
        stream_break(s, EBADMSG, "the peer sent a message that is not a JSON object");
        return 1;
    }
    s->in_callback = true;
    int r = s->on_message(s, message, s->userdata);
    s->in_callback = false;
    json_decref(message);
    if (s->freed) {
        s->freed = false;
        stream_free(s);
        return -1;
    }
    if (r > 0)
        s->paused = true;
    return s->broken || r > 0;
}

static int on_again(sd_event_source *source, void *userdata);

/* Schedules the received messages for the next iteration of the event loop; until then the stream is not
 * read. A new event source replaces the old one: a source that is enabled again would keep its old place in
 * the queue, before sources that became ready meanwhile. */
static void come_back(struct stream *s)
{
    sd_event_source *last;
    s->behind = true;
    if (sd_event_add_defer(s->event, &last, on_again, s) >= 0) {
        sd_event_source_disable_unref(s->again);
        s->again = last;
    }
    sd_event_source_set_enabled(s->again, SD_EVENT_ONESHOT);
}

/* Handles the complete messages that were received: all of them, or, for a stream with an account, one in
 * each iteration of the event loop, so that a thousand messages of one connection do not delay the next
 * message of another. Returns 0, or −1 when the stream was freed. */
static int handle_input(struct stream *s)
{
    s->behind = false;
    while (!s->paused && !s->broken && !s->closing && !s->behind) {
        char *from = s->in.data + s->in.start;
        size_t n = s->in.end - s->in.start;
        char *nul = n > s->scanned ? memchr(from + s->scanned, 0, n - s->scanned) : NULL;
        if (!nul) {
            s->scanned = n;
            if (n > VARLINK_MESSAGE_MAX)
                stream_break(s, EMSGSIZE, "the peer sent a message that is too large");
            break;
        }
        size_t size = (size_t)(nul - from);
        s->scanned = 0;
        timer_stop(&s->timer);
        s->in.start += size + 1;
        if (size > VARLINK_MESSAGE_MAX) {
            stream_break(s, EMSGSIZE, "the peer sent a message that is too large");
            break;
        }
        int r = handle_message(s, from, size);
        if (r < 0)
            return -1;
        if (r == 0 && s->account && s->in.end > s->in.start)
            come_back(s);
    }
    buffer_settle(&s->in);
    if (s->in.end - s->in.start < VARLINK_SMALL)
        release_large(s);
    time_message(s);
    if (!s->broken)
        update_events(s);
    return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source;
    struct stream *s = userdata;
    if (revents & EPOLLOUT)
        flush_output(s);
    if (s->broken)
        return 0;
    if (revents & EPOLLIN) {
        static char chunk[65536];
        size_t most = readable(s, sizeof chunk);
        if (most == 0)
            return 0;
        ssize_t n = recv(fd, chunk, most, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n <= 0) {
            stream_break(s, ECONNRESET, "the peer closed the connection");
            return 0;
        }
        buffer_append(&s->in, chunk, (size_t)n);
        handle_input(s);
        return 0;
    }
    if (revents & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
        stream_break(s, ECONNRESET, "the peer closed the connection");
    return 0;
}

/* Does the deferred work: calls on_closed for a broken stream, or handles messages that were received before.
 */
static int on_again(sd_event_source *source, void *userdata)
{
    (void)source;
    struct stream *s = userdata;
    if (s->broken)
        s->on_closed(s, &s->failure, s->userdata);
    else
        handle_input(s);
    return 0;
}

void stream_resume(struct stream *s)
{
    s->paused = false;
    if (s->broken || s->in_callback)
        return;
    if (s->in.end > s->in.start)
        come_back(s);
    update_events(s);
}

int stream_new(sd_event *event, int fd, stream_message_fn on_message, stream_closed_fn on_closed,
               void *userdata, struct stream **ret)
{
    struct stream *s = xcalloc(1, sizeof *s);
    s->event = sd_event_ref(event);
    s->fd = fd;
    s->on_message = on_message;
    s->on_closed = on_closed;
    s->userdata = userdata;
    int r = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno : 0;
    if (r >= 0)
        r = sd_event_add_io(event, &s->io, fd, EPOLLIN | EPOLLRDHUP, on_io, s);
    if (r >= 0)
        r = sd_event_add_defer(event, &s->again, on_again, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->again, SD_EVENT_OFF);
    if (r < 0) {
        stream_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    leave_account(s);     /* now, because the account need not exist after this call */
    if (s->in_callback) { /* handle_message() still uses the stream, and frees it afterwards */
        s->freed = s->broken = true;
        return;
    }
    sd_event_source_disable_unref(s->io);
    timer_stop(&s->timer);
    sd_event_source_disable_unref(s->again);
    sd_event_unref(s->event);
    close_fd(s->fd);
    free(s->in.data);
    free(s->out.data);
    free(s);
}

int stream_detach(struct stream *s, uint64_t usec, char **ret_early, size_t *ret_early_size)
{
    uint64_t deadline = now_monotonic_usec() + usec;
    while (!s->broken && stream_pending(s) > 0) {
        uint64_t now = now_monotonic_usec();
        if (now >= deadline)
            return -ETIMEDOUT;
        struct pollfd p = {.fd = s->fd, .events = POLLOUT};
        if (poll(&p, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1) > 0)
            flush_output(s);
    }
    if (s->broken)
        return -ECONNRESET;
    *ret_early_size = s->in.end - s->in.start;
    *ret_early = NULL;
    if (*ret_early_size > 0) {
        *ret_early = xcalloc(*ret_early_size, 1);
        memcpy(*ret_early, s->in.data + s->in.start, *ret_early_size);
        s->in.start = s->in.end;
    }
    s->io = sd_event_source_disable_unref(s->io);
    fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) & ~O_NONBLOCK);
    return TAKE_FD(s->fd);
}
