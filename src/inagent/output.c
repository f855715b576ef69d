/* Implements output.h. */
#include "inagent/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

/* bytes that one read takes from a pipe; each may become a line of its own, with a label */
#define READ_SIZE 8192
/* bytes after which the lines are written */
#define PENDING_ENOUGH ((size_t)64 << 10)
/* Reads of one round, so that also pipes without lines leave time for everything else. */
#define READS_MAX 32
/* bytes of the log's lines beside which inagent's own messages are still kept */
#define PENDING_MAX      ((size_t)2 << 20)
#define LAST_OUTPUT_USEC (USEC_PER_SEC / 2)

struct stream {
    struct stream *next;
    struct channel *channel;
    int fd;
    char *task;
    struct splitter splitter;
    struct task_file *file;
};

/* The only one, for the function that receives inagent's own messages. */
static struct channel *own_channel;

/* Writes what is pending, as far as the log accepts it. Returns whether nothing is left. */
static bool flush(struct channel *c)
{
    struct pending *p = &c->pending;
    while (p->sent < p->used) {
        ssize_t n =
            c->lost ? (ssize_t)(p->used - p->sent) : write(c->log, p->bytes + p->sent, p->used - p->sent);
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0 && errno != EINTR)
            c->lost = true;
        if (n > 0)
            pending_sent(p, (size_t)n);
    }
    return true;
}

/* Receives inagent's own messages. They stay behind lines that the log has accepted a part of. */
static void on_own_message(const char *line, size_t size)
{
    if (own_channel->pending.used - own_channel->pending.sent + size <= PENDING_MAX)
        pending_add(&own_channel->pending, line, size);
    (void)flush(own_channel);
}

int output_begin(struct output *output, const char *home, struct error *e)
{
    *output = (struct output){.files.home = home};
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        struct channel *c = &output->channels[i];
        *c = (struct channel){.log = STDOUT_FILENO + i, .epoll = epoll_create1(EPOLL_CLOEXEC)};
        if (c->epoll < 0)
            return error_os(e, errno, "cannot watch the output of tasks");
        int flags = fcntl(c->log, F_GETFL);
        if (flags >= 0)
            (void)fcntl(c->log, F_SETFL, flags | O_NONBLOCK);
    }
    own_channel = &output->channels[OUTPUT_STREAMS - 1];
    log_set_writer(on_own_message);
    return 0;
}

static void stream_close(struct stream *s)
{
    struct stream **at = &s->channel->first;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    splitter_end(&s->splitter, &s->channel->pending);
    /* A process that was just forked has the descriptor, too, so that close() alone does not end the watch.
     */
    (void)epoll_ctl(s->channel->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    close_fd(s->fd);
    task_file_release(s->file);
    free(s->task);
    free(s);
}

static int stream_open(struct output *output, struct channel *c, const char *task, int *ret, struct error *e)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_os(e, errno, "cannot make a pipe for its output");
    struct stream *s = xcalloc(1, sizeof *s);
    *s = (struct stream){.channel = c, .fd = ends[0], .next = c->first};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    if (fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, s->fd, &event) < 0) {
        int r = error_os(e, errno, "cannot watch its output");
        close(ends[0]);
        close(ends[1]);
        free(s);
        return r;
    }
    s->task = xstrdup(task);
    s->file = task_file_use(&output->files, task);
    splitter_init(&s->splitter, task);
    c->first = s;
    *ret = ends[1];
    return 0;
}

int output_open(struct output *output, const char *task, int ret[OUTPUT_STREAMS], struct error *e)
{
    for (int i = 0; i < OUTPUT_STREAMS; i++)
        ret[i] = -1;
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        int r = stream_open(output, &output->channels[i], task, &ret[i], e);
        if (r >= 0)
            continue;
        for (int k = 0; k < i; k++) /* the pipe ends, and output_round() closes it */
            ret[k] = close_fd(ret[k]);
        return r;
    }
    return 0;
}

/* Reads once. Returns the number of bytes; 0 if none are there now, and −1 if the stream has ended and is
 * closed. */
static ssize_t stream_read(struct output *output, struct stream *s)
{
    char data[READ_SIZE];
    ssize_t n = read(s->fd, data, sizeof data);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        stream_close(s);
        return -1;
    }
    task_file_write(&output->files, s->file, data, (size_t)n, now_monotonic_usec());
    splitter_feed(&s->splitter, data, (size_t)n, &s->channel->pending);
    return n;
}

void output_ended(struct output *output, const char *task)
{
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        struct channel *c = &output->channels[i];
        for (struct stream *s = c->first, *next; s; s = next) {
            next = s->next;
            if (!streq(s->task, task))
                continue;
            ssize_t n = 1;
            for (int reads = 0; n > 0 && reads < READS_MAX && flush(c); reads++)
                n = stream_read(output, s);
            if (n == 0)
                splitter_end(&s->splitter, &c->pending);
        }
        (void)flush(c);
    }
}

/* Reads one piece of each pipe in turn: the kernel puts a pipe that it has reported behind the others.
 * Returns whether nothing is left to do now. */
static bool channel_round(struct output *output, struct channel *c)
{
    struct epoll_event event;
    bool idle = false;
    if (!flush(c))
        return false;
    for (int reads = 0; !idle && reads < READS_MAX && c->pending.used < PENDING_ENOUGH; reads++) {
        idle = epoll_wait(c->epoll, &event, 1, 0) <= 0;
        if (!idle)
            (void)stream_read(output, event.data.ptr);
    }
    if (!flush(c))
        return false;
    if (idle)
        pending_clear(&c->pending);
    return idle;
}

void output_round(struct output *output)
{
    for (int i = 0; i < OUTPUT_STREAMS; i++)
        (void)channel_round(output, &output->channels[i]);
}

void output_poll(const struct output *output, struct pollfd ret[OUTPUT_STREAMS])
{
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        const struct channel *c = &output->channels[i];
        bool blocked = c->pending.sent < c->pending.used;
        ret[i] = (struct pollfd){.fd = blocked ? c->log : c->epoll, .events = blocked ? POLLOUT : POLLIN};
    }
}

void output_end(struct output *output)
{
    uint64_t now, deadline = now_monotonic_usec() + LAST_OUTPUT_USEC;
    bool idle = false;
    while (!idle && (now = now_monotonic_usec()) < deadline) {
        struct pollfd fds[OUTPUT_STREAMS];
        struct timespec rest = {0, (long)(deadline - now) * 1000};
        idle = true;
        for (int i = 0; i < OUTPUT_STREAMS; i++)
            idle = channel_round(output, &output->channels[i]) && idle;
        output_poll(output, fds);
        if (!idle)
            (void)ppoll(fds, OUTPUT_STREAMS, &rest, NULL);
    }
    log_set_writer(NULL);
    for (int i = 0; i < OUTPUT_STREAMS; i++) {
        struct channel *c = &output->channels[i];
        while (c->first)
            stream_close(c->first);
        (void)flush(c);
        pending_clear(&c->pending);
        c->epoll = close_fd(c->epoll);
    }
    task_files_clear(&output->files);
}
