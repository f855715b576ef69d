/* Implements log_source.h. */
#include "ctl/log_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/call.h"
#include "ctl/limit.h"
#include "lib/api/container_driver.h"
#include "lib/basic/fs.h"
#include "lib/varlink/client-sync.h"

#define LINE_MAX_BYTES 65536 /* a longer line is split */

/* Writes data to standard output or error: escaped for a terminal unless 'raw' is set, else unchanged. 'end':
 * an incomplete character at the end of the data is not continued. */
static void put(struct log_source *s, int stream, const char *data, size_t size, bool end)
{
    int fd = stream == LOG_STREAM_OUT ? STDOUT_FILENO : STDERR_FILENO;
    _cleanup_free_ char *shown = NULL;
    if (!s->raw && isatty(fd)) {
        size = printable_feed(&s->characters[stream - LOG_STREAM_OUT], data, size, end, &shown);
        data = shown;
    }
    int r = write_all(fd, data, size);
    if (r < 0 && r != -EPIPE) /* EPIPE: the reader has closed the pipe, which needs no message */
        log_error("logs: cannot write to standard %s: %s", fd == STDOUT_FILENO ? "output" : "error",
                  strerror(-r));
    if (r < 0)
        exit(EXIT_FAILED);
}

static void print_line(struct log_source *s, int stream, const char *text, size_t size)
{
    _cleanup_free_ char *prefix = s->prefixed ? xasprintf("%" PRId64 " | ", s->replica) : xstrdup("");
    size_t n = strlen(prefix);
    _cleanup_free_ char *whole = xcalloc(n + size + 1, 1);
    memcpy(whole, prefix, n);
    memcpy(whole + n, text, size);
    whole[n + size] = '\n';
    put(s, stream, whole, n + size + 1, true);
}

/* Keeps a line, in place of the oldest one if there are enough. */
static void keep_line(struct log_source *s, int stream, const char *text, size_t size)
{
    struct kept_line *line;
    if (s->n_kept < (size_t)s->keep) {
        s->kept = xrealloc(s->kept, s->n_kept + 1, sizeof *s->kept);
        line = &s->kept[s->n_kept++];
    } else {
        line = &s->kept[s->first_kept];
        s->first_kept = (s->first_kept + 1) % s->n_kept;
        free(line->text);
    }
    *line = (struct kept_line){stream, xcalloc(size + 1, 1), size};
    memcpy(line->text, text, size);
}

static void print_kept(struct log_source *s)
{
    for (size_t i = 0; i < s->n_kept; i++) {
        struct kept_line *line = &s->kept[(s->first_kept + i) % s->n_kept];
        print_line(s, line->stream, line->text, line->size);
        free(line->text);
    }
    free(s->kept);
    s->kept = NULL;
    s->n_kept = s->first_kept = 0;
    s->keep = 0;
}

static void flush_line(struct log_source *s, int stream)
{
    struct log_line *line = &s->lines[stream - LOG_STREAM_OUT];
    size_t n = s->label ? strlen(s->label) : 0;
    if (line->size < n || memcmp(line->text, s->label ?: "", n) != 0)
        ; /* another task's */
    else if (s->keep > 0)
        keep_line(s, stream, line->text + n, line->size - n);
    else
        print_line(s, stream, line->text + n, line->size - n);
    line->size = 0;
}

static void put_lines(struct log_source *s, int stream, const char *data, size_t size)
{
    struct log_line *line = &s->lines[stream - LOG_STREAM_OUT];
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        if (n > LINE_MAX_BYTES - line->size)
            n = LINE_MAX_BYTES - line->size, end = NULL;
        line->text = xrealloc(line->text, line->size + n + 1, 1);
        memcpy(line->text + line->size, data, n);
        line->size += n;
        if (end || line->size == LINE_MAX_BYTES)
            flush_line(s, stream);
        n += end != NULL;
        data += n;
        size -= n;
    }
}

static int on_piece(int stream, const void *data, size_t size, void *userdata)
{
    struct log_source *s = userdata;
    if (s->prefixed || s->label)
        put_lines(s, stream, data, size);
    else
        put(s, stream, data, size, false);
    return 0;
}

static void close_source(struct log_source *s)
{
    s->fd = close_fd(s->fd);
    s->ended_usec = now_monotonic_usec();
    s->frames = (struct log_frames){.left = 0};
    for (int stream = LOG_STREAM_OUT; stream <= LOG_STREAM_ERROR; stream++)
        if (s->lines[stream - LOG_STREAM_OUT].size > 0)
            flush_line(s, stream);
        else
            put(s, stream, "", 0, true);
    print_kept(s);
}

/* Returns the time 'usec' ago by the present wall clock, as unix milliseconds; 0 if that is before 1970. */
static int64_t unix_msec_before(uint64_t usec)
{
    int64_t at = now_realtime_msec() - (int64_t)(usec / USEC_PER_MSEC);
    return at > 0 ? at : 0;
}

int log_source_open(struct ctl *ctl, struct log_source *s, const char *instance, bool follow, struct error *e)
{
    const struct driver_logs_in in = {
        .instance = (char *)instance,
        .replica_id = s->replica,
        .slot = DRIVER_SLOT_CURRENT,
        .follow = follow,
        .since = s->ended_usec ? unix_msec_before(now_monotonic_usec() - s->ended_usec)
                 : s->since    ? unix_msec_before(s->since)
                               : 0,
        .tail = s->ended_usec || s->label ? 0 : s->tail,
    };
    _cleanup_free_ char *socket = tree_socket(&ctl->tree, ctl_driver.socket);
    const struct varlink_call_options options = {.socket = socket,
                                                 .interface = &container_driver_interface,
                                                 .method = "Logs",
                                                 .in = &in,
                                                 .timeout_usec = limit_cut(CTL_TIMEOUT_USEC)};
    int r = varlink_call_upgrade(&options, NULL, &s->fd, e);
    return r < 0 ? error_prefix(e, "replica %" PRId64, s->replica), r : 0;
}

int log_source_read(struct log_source *s, struct error *e)
{
    char data[65536];
    ssize_t n = read(s->fd, data, sizeof data);
    if (n < 0 && errno == EINTR)
        return 1;
    int r = n > 0 ? log_frames_feed(&s->frames, data, (size_t)n, on_piece, s, e) : 0;
    if (n > 0 && r >= 0)
        return 1;
    if (r < 0)
        error_prefix(e, "replica %" PRId64 ": the received data is no log", s->replica);
    else if (n < 0 || !log_frames_at_boundary(&s->frames))
        r = error_fail(e, EPROTO, "replica %" PRId64 ": the log ended early: the service exited", s->replica);
    close_source(s);
    return r;
}

void log_source_done(struct log_source *s)
{
    if (s->fd >= 0)
        close_source(s);
    free(s->lines[0].text);
    free(s->lines[1].text);
}
