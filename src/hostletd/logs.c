/* Implements logs.h. */
#include "hostletd/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostletd/lines.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"

#define QUEUE_BYTES       ((size_t)256 << 10)
#define CLOSE_WAIT_MSEC   200
#define LAST_LINE_BYTES   400
#define READS_PER_WAKE_UP 4
#define READS_AT_END      16

static struct {
    int fd; /* non-blocking through its own open file description, or a socket or file */
    bool is_socket, is_file;
    sd_event_source *writable;
    size_t start, end; /* of the queued bytes */
    uint64_t dropped;
    /* The kernel allocates its pages at their first use. */
    char queue[QUEUE_BYTES];
} output = {.fd = -1};

struct child_log {
    const char *name;
    int reading, writing;
    sd_event_source *source;
    struct line_splitter lines;
    char last[LAST_LINE_BYTES + 1];
};

/* Writes without blocking. Returns the number of bytes that were written, or a negative errno. */
static ssize_t output_write(const char *data, size_t n)
{
    for (;;) {
        ssize_t written = output.is_socket ? send(output.fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                                           : write(output.fd, data, n);
        if (written >= 0)
            return written;
        if (errno != EINTR)
            return -errno;
    }
}

static void enqueue(const char *line, size_t n)
{
    if (output.dropped > 0 || output.end + n > QUEUE_BYTES) {
        output.dropped++;
        return;
    }
    memcpy(output.queue + output.end, line, n);
    output.end += n;
    if (output.writable)
        sd_event_source_set_enabled(output.writable, SD_EVENT_ON);
}

static void logs_write(const char *line, size_t n)
{
    ssize_t written = 0;
    if (output.start == output.end) {
        output.start = output.end = 0;
        written = output_write(line, n);
        /* If the reader no longer exists, the line is dropped and hostletd continues. */
        if (written < 0 && written != -EAGAIN)
            return;
        if (written < 0)
            written = 0;
    }
    if ((size_t)written < n)
        enqueue(line + written, n - (size_t)written);
}

/* Writes the queue line by line, because the kernel does not mix a write of up to PIPE_BUF bytes with the
 * writes of other processes into the same pipe. */
static void flush_queue(void)
{
    while (output.start < output.end) {
        const char *at = output.queue + output.start;
        const char *newline = memchr(at, '\n', output.end - output.start);
        size_t n = newline ? (size_t)(newline - at) + 1 : output.end - output.start;
        ssize_t written = output_write(at, n);
        if (written == -EAGAIN)
            return;
        output.start += written < 0 ? n : (size_t)written;
    }
    output.start = output.end = 0;
    if (output.writable)
        sd_event_source_set_enabled(output.writable, SD_EVENT_OFF);
    if (output.dropped > 0) {
        uint64_t dropped = output.dropped;
        output.dropped = 0;
        log_warning("%" PRIu64 " lines were dropped here: the log's reader was too slow", dropped);
    }
}

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents, (void)userdata;
    flush_queue();
    return 0;
}

int logs_open(sd_event *event, struct error *e)
{
    struct stat st;
    output.fd = STDERR_FILENO;
    if (fstat(STDERR_FILENO, &st) < 0)
        return error_os(e, errno, "standard error is closed");
    output.is_socket = S_ISSOCK(st.st_mode);
    output.is_file = S_ISREG(st.st_mode);
    if (!output.is_socket && !output.is_file) {
        /* Other processes share the open file description of descriptor 2, and O_NONBLOCK would apply to them
         * too. So hostletd opens a description of its own. */
        output.fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (output.fd < 0)
            return error_os(e, errno, "cannot open standard error a second time");
    }
    if (!output.is_file) {
        int r = sd_event_add_io(event, &output.writable, output.fd, EPOLLOUT, on_writable, NULL);
        /* epoll does not support it, as /dev/null; it is always writable. */
        if (r == -EPERM)
            r = 0;
        else if (r >= 0)
            r = sd_event_source_set_enabled(output.writable, SD_EVENT_OFF);
        if (r < 0)
            return error_os(e, -r, "cannot watch standard error");
    }
    log_set_writer(logs_write);
    return 0;
}

void logs_close(void)
{
    if (output.fd < 0)
        return;
    uint64_t deadline = now_monotonic_usec() + CLOSE_WAIT_MSEC * USEC_PER_MSEC;
    while (output.start < output.end && now_monotonic_usec() < deadline) {
        struct pollfd p = {.fd = output.fd, .events = POLLOUT};
        if (poll(&p, 1, CLOSE_WAIT_MSEC) > 0)
            flush_queue();
    }
    log_set_writer(NULL);
    output.writable = sd_event_source_disable_unref(output.writable);
    if (output.fd != STDERR_FILENO)
        close_fd(output.fd);
    output.fd = -1;
}

static void on_line(const char *line, void *userdata)
{
    struct child_log *log = userdata;
    enum log_level level;
    _cleanup_free_ char *shown = printable_line(line_parse(line, log->name, &level));
    const char *text = shown;
    snprintf(log->last, sizeof log->last, "%s", text);
    /* JSON escapes can make a line six times as long; a write must not exceed PIPE_BUF. */
    size_t left = strlen(text), n = left;
    while (left > 0) {
        _cleanup_free_ char *part = xstrndup(text, n), *whole = log_line(log->name, level, part);
        size_t size = strlen(whole);
        if (size > PIPE_BUF && n > 1) {
            n /= 2;
            while (n > 1 && (text[n] & 0xc0) == 0x80)
                /* A cut must not be inside of a character of UTF-8. */
                n--;
            continue;
        }
        logs_write(whole, size);
        text += n;
        left -= n;
        n = left < n ? left : n;
    }
}

/* Reads the pipe of a service, at most 'reads' times. */
static void take(struct child_log *log, unsigned reads)
{
    char data[16384];
    while (reads-- > 0) {
        ssize_t n = read(log->reading, data, sizeof data);
        if (n <= 0)
            return;
        lines_feed(&log->lines, data, (size_t)n, on_line, log);
    }
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents;
    take(userdata, READS_PER_WAKE_UP);
    return 0;
}

int child_log_new(sd_event *event, const char *name, struct child_log **ret, struct error *e)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_os(e, errno, "cannot make a pipe for the log of '%s'", name);
    struct child_log *log = xcalloc(1, sizeof *log);
    log->name = name;
    log->reading = pipe_fds[0];
    log->writing = pipe_fds[1];
    /* Only hostletd's end is non-blocking: workers expect their writes to block. */
    int r = fcntl(log->reading, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (r >= 0)
        r = sd_event_add_io(event, &log->source, log->reading, EPOLLIN, on_readable, log);
    /* A flood of lines must not delay the handling of exits and callers. */
    if (r >= 0)
        r = sd_event_source_set_priority(log->source, SD_EVENT_PRIORITY_IDLE);
    if (r < 0) {
        child_log_free(log);
        return error_os(e, -r, "cannot watch the log of '%s'", name);
    }
    *ret = log;
    return 0;
}

void child_log_free(struct child_log *log)
{
    if (!log)
        return;
    child_log_end(log);
    sd_event_source_disable_unref(log->source);
    close_fd(log->reading);
    close_fd(log->writing);
    free(log);
}

int child_log_fd(const struct child_log *log)
{
    return log->writing;
}

void child_log_begin(struct child_log *log)
{
    log->last[0] = '\0';
}

void child_log_end(struct child_log *log)
{
    take(log, READS_AT_END);
    lines_flush(&log->lines, on_line, log);
}

const char *child_log_last(const struct child_log *log)
{
    return log->last;
}
