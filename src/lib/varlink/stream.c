/* Messages over a socket; see stream.h. */
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

/* A peer that began a message has this long to finish it. */
#define MESSAGE_TIMEOUT_USEC (30 * USEC_PER_SEC)

struct buffer {
    char *data;
    size_t start, end, room;
};

struct stream {
    sd_event *event;
    int fd;
    sd_event_source *io, *again;
    struct timer timer; /* until a message that has begun is whole */
    struct buffer in, out;
    size_t scanned; /* bytes of 'in' known to hold no NUL */
    bool paused, closing, in_callback, freed, broken;
    bool deaf;                      /* the peer takes nothing more; what it sent before is read still */
    struct stream_account *account; /* NULL: none */
    struct stream *next, *previous; /* in the account */
    size_t unsent;                  /* as the account has it */
    bool waits;                     /* for the end of another one's large message */
    bool behind;                    /* what was read already is handled first, at the next turn of the loop */
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

/* A buffer that once held much, and holds little now, gives its memory back. */
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

/* The account follows what waits to be sent. */
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
    /* A half-closed peer still wants its answers, and must not make the loop spin while we cannot read. */
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

/* The time of a message begins with its first byte, and does not begin anew with each further one; it stands
 * still, and begins anew, where it is we who do not read. */
static void time_message(struct stream *s)
{
    bool partial = s->in.end > s->in.start && !s->paused && !s->broken && !s->behind && !s->waits;
    if (!partial)
        timer_stop(&s->timer);
    else if (!timer_armed(&s->timer))
        timer_arm(&s->timer, s->event, MESSAGE_TIMEOUT_USEC, on_timeout, s);
}

/* Another one of the account may go on with its large message: the one that waits longest has its turn from
 * now on, so that its end is the next one's turn, whether it says anything more or not. */
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

/* How much may be read now; 0: nothing until another one's large message is whole. */
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

/* The end is told from the loop, never from within a call of the owner. */
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
            /* A server may have said why before it closed: reading tells that, and then the end. */
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

/* Whoever reads least of all of the user's connections gives way. */
static void bound_account(struct stream_account *a)
{
    while (a->unsent > a->unsent_max) {
        struct stream *most = a->streams;
        for (struct stream *s = most->next; s; s = s->next)
            if (s->unsent > most->unsent)
                most = s;
        stream_break(most, ENOBUFS, "the peer does not read its answers, nor do its other connections");
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
        stream_break(s, ENOBUFS, "the peer does not read its answers");
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

/* Hands one message to the owner. 0 go on, 1 stop (paused or broken), −1 freed. */
static int handle_message(struct stream *s, const char *text, size_t n)
{
    json_error_t je;
    if (varlink_values(text, n) > VARLINK_VALUES_MAX) {
        stream_break(s, E2BIG, "the peer sent a message of too many values");
        return 1;
    }
    json_t *message = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!message || !json_is_object(message)) {
        json_decref(message);
        stream_break(s, EBADMSG, "the peer sent something that is not a JSON object");
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

/* What was read already is handled before more is read, once all others had their turn: a source that is
 * enabled again would keep its old place, before what came meanwhile, so a new one takes its place. */
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

/* All whole messages that were read; of a user whom a server counts one a turn of the loop, so that a
 * thousand of his do not come before the next one of another. −1 when the stream is gone. */
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

/* Deferred work: telling the end, or messages that waited while paused. */
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
    leave_account(s);     /* which need not live longer than this call */
    if (s->in_callback) { /* the frame above us still uses it */
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
