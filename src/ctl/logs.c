/* The command logs: the driver's raw frames, taken apart again. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "lib/api/driver.h"
#include "lib/api/reconciler.h"
#include "lib/app/app.h"
#include "lib/basic/fs.h"

#define LINE_MAX_BYTES 65536 /* a longer one is broken */

/* What waits for its end of line, per stream, where several replicas share the screen. */
struct line {
    char *text;
    size_t size;
};

/* One replica's connection. A frame is its header (stream, three zeros, length) and so many bytes. */
struct source {
    int64_t replica;
    int fd; /* −1: at its end */
    uint8_t header[8];
    size_t header_size;
    uint64_t left; /* of the frame's data */
    bool prefixed;
    struct line lines[2]; /* standard output and standard error */
};

static void put(int fd, const char *data, size_t size)
{
    if (write_all(fd, data, size) < 0)
        exit(EXIT_FAILED); /* nobody reads us any more */
}

static void flush_line(struct source *s, int stream, bool newline)
{
    struct line *line = &s->lines[stream];
    _cleanup_free_ char *prefix = xasprintf("%" PRId64 " | ", s->replica), *whole = NULL;
    size_t n = strlen(prefix);
    whole = xcalloc(n + line->size + 1, 1);
    memcpy(whole, prefix, n);
    if (line->size > 0)
        memcpy(whole + n, line->text, line->size);
    if (newline)
        whole[n + line->size] = '\n';
    put(stream + 1, whole, n + line->size + newline);
    line->size = 0;
}

static void put_lines(struct source *s, int stream, const char *data, size_t size)
{
    struct line *line = &s->lines[stream];
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size;
        if (n > LINE_MAX_BYTES - line->size)
            n = LINE_MAX_BYTES - line->size, end = NULL;
        line->text = xrealloc(line->text, line->size + n + 1, 1);
        memcpy(line->text + line->size, data, n);
        line->size += n;
        if (end || line->size == LINE_MAX_BYTES)
            flush_line(s, stream, true);
        n += end != NULL;
        data += n;
        size -= n;
    }
}

/* Takes what was read apart. False for bytes that are no frames. */
static bool take(struct source *s, const char *data, size_t size)
{
    while (size > 0) {
        if (s->left == 0) {
            size_t n = sizeof s->header - s->header_size;
            n = n < size ? n : size;
            memcpy(s->header + s->header_size, data, n);
            s->header_size += n;
            data += n;
            size -= n;
            if (s->header_size < sizeof s->header)
                return true;
            uint32_t length;
            memcpy(&length, s->header + 4, sizeof length);
            if (s->header[0] < 1 || s->header[0] > 2 || s->header[1] || s->header[2] || s->header[3])
                return false;
            s->left = ntohl(length);
            s->header_size = 0;
            continue;
        }
        int stream = s->header[0] - 1;
        size_t n = s->left < size ? (size_t)s->left : size;
        if (s->prefixed)
            put_lines(s, stream, data, n);
        else
            put(stream + 1, data, n);
        s->left -= n;
        data += n;
        size -= n;
    }
    return true;
}

static void source_close(struct source *s)
{
    s->fd = close_fd(s->fd);
    for (int stream = 0; stream < 2; stream++)
        if (s->lines[stream].size > 0)
            flush_line(s, stream, true);
}

static int source_read(struct source *s)
{
    char data[65536];
    ssize_t n = read(s->fd, data, sizeof data);
    if (n < 0 && errno == EINTR)
        return EXIT_OK;
    if (n > 0 && take(s, data, (size_t)n))
        return EXIT_OK;
    bool broken = n > 0 || s->left > 0 || s->header_size > 0;
    source_close(s);
    if (n == 0 && !broken)
        return EXIT_OK;
    log_error("replica %" PRId64 ": %s", s->replica,
              n > 0 ? "what came is no log" : "the log broke off: the service went away");
    return EXIT_FAILED;
}

static int source_open(struct ctl *ctl, struct source *s, const char *instance)
{
    uint64_t since = ctl_option_duration(ctl, "since", 0);
    const struct driver_logs_in in = {
        .instance = (char *)instance,
        .replica_id = s->replica,
        .slot = DRIVER_SLOT_CURRENT,
        .follow = ctl_option(ctl, "follow") != NULL,
        .since = since ? now_realtime_msec() - (int64_t)(since / USEC_PER_MSEC) : 0,
        .tail = ctl_option_number(ctl, "tail", 1, INT32_MAX, 0),
    };
    _cleanup_free_ char *socket = tree_socket(&ctl->tree, ctl_driver.socket);
    const struct varlink_call_options options = {.socket = socket,
                                                 .interface = &driver_interface,
                                                 .method = "Logs",
                                                 .in = &in,
                                                 .timeout_usec = CTL_TIMEOUT_USEC};
    struct error e = ERROR_INIT;
    if (varlink_call_upgrade(&options, NULL, &s->fd, &e) >= 0)
        return EXIT_OK;
    error_prefix(&e, "replica %" PRId64, s->replica);
    return ctl_fail(&e);
}

/* Reads all that are open until they end. */
static int pump(struct source *sources, size_t n)
{
    _cleanup_free_ struct pollfd *polled = xcalloc(n, sizeof *polled);
    int code = EXIT_OK;
    for (;;) {
        size_t open = 0;
        for (size_t i = 0; i < n; i++) {
            polled[i] = (struct pollfd){.fd = sources[i].fd, .events = POLLIN};
            open += sources[i].fd >= 0;
        }
        if (open == 0)
            return code;
        if (poll(polled, (nfds_t)n, -1) < 0 && errno != EINTR) {
            log_error("cannot wait for the log: %m");
            return EXIT_FAILED;
        }
        for (size_t i = 0; i < n; i++)
            if (polled[i].fd >= 0 && polled[i].revents)
                code = source_read(&sources[i]) ?: code;
    }
}

/* Followed, the replicas' lines come as they are written; else one replica after the other. */
static int print_all(struct ctl *ctl, const char *instance, struct source *sources, size_t n)
{
    bool follow = ctl_option(ctl, "follow") != NULL;
    int code = EXIT_OK;
    for (size_t i = 0; i < n; i++) {
        code = source_open(ctl, &sources[i], instance) ?: code;
        if (!follow)
            code = pump(&sources[i], 1) ?: code;
    }
    return follow ? pump(sources, n) ?: code : code;
}

static int find_replicas(struct ctl *ctl, const char *instance, struct source **ret, size_t *ret_n)
{
    const struct reconciler_name_in in = {.name = (char *)instance};
    struct reconciler_get_out out = {.instance = NULL};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_reconciler, "Get", &in, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    *ret_n = out.instance->n_replicas;
    *ret = xcalloc(*ret_n, sizeof **ret);
    for (size_t i = 0; i < *ret_n; i++)
        (*ret)[i] =
            (struct source){.replica = out.instance->replicas[i]->id, .fd = -1, .prefixed = *ret_n > 1};
    ctl_done(&ctl_reconciler, "Get", &out);
    return EXIT_OK;
}

int command_logs(struct ctl *ctl)
{
    _cleanup_free_ char *instance = xstrdup(ctl->arguments[0]);
    _cleanup_free_ struct source *sources = NULL;
    char *slash = strchr(instance, '/');
    size_t n = 1;
    if (ctl->json) {
        log_error("logs: the output of an application has no JSON form");
        return EXIT_USAGE;
    }
    (void)ctl_option_number(ctl, "tail", 1, INT32_MAX, 0);
    (void)ctl_option_duration(ctl, "since", 0);
    if (slash) {
        int64_t id;
        *slash = '\0';
        if (parse_int64(slash + 1, 0, APP_REPLICA_ID_MAX, &id) < 0) {
            log_error("logs: '%s' is no id of a replica", slash + 1);
            return EXIT_USAGE;
        }
        sources = xcalloc(1, sizeof *sources);
        *sources = (struct source){.replica = id, .fd = -1};
    } else {
        int code = find_replicas(ctl, instance, &sources, &n);
        if (code != EXIT_OK)
            return code;
    }
    int code = print_all(ctl, instance, sources, n);
    for (size_t i = 0; i < n; i++) {
        source_close(&sources[i]);
        free(sources[i].lines[0].text);
        free(sources[i].lines[1].text);
    }
    return code;
}
