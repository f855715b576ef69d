/* Implements logs.h. Reads a container's output in frames: checks Docker's frames, or makes them for a
 * container with a terminal. Adds the newlines that Docker's log driver "local" loses at the end of long
 * lines. */
#include "container-driver/docker/logs.h"

#include <errno.h>

#include "container-driver/docker/call.h"
#include "container-driver/reading.h"
#include "lib/logs/frames.h"
#include "lib/loop/timer.h"

/* Docker splits longer lines into parts of this size. */
#define LINE_PART ((size_t)16 << 10)

struct logs {
    struct runtime_job job;
    struct docker *d;
    runtime_log_data_fn on_data;
    runtime_log_end_fn on_end;
    void *userdata;
    struct runtime_log_options options;
    char *id;
    bool terminal, paused, local;
    struct docker_call *call; /* the inspection, then the stream */
    struct docker_call *ping;
    struct timer ping_timer;
    struct log_frames frames;
    const char *at;  /* the received data that was not passed on yet */
    size_t n_frame;  /* received bytes of the current frame */
    bool in_line[2]; /* for each stream: the last frame was a part of a line, and not the last part */
};

static void logs_free(struct logs *l)
{
    docker_call_cancel(l->call);
    docker_call_cancel(l->ping);
    timer_stop(&l->ping_timer);
    free(l->id);
    free(l);
}

static void logs_cancel(struct runtime_job *job)
{
    logs_free((struct logs *)job);
}

static void logs_pause(struct runtime_job *job)
{
    struct logs *l = (struct logs *)job;
    docker_call_pause(l->call);
}

static void logs_resume(struct runtime_job *job)
{
    struct logs *l = (struct logs *)job;
    if (l->call)
        docker_call_resume(l->call);
}

static void logs_end(struct logs *l, const struct error *e)
{
    l->on_end(e, l->userdata);
    logs_free(l);
}

static int put_frame(struct logs *l, int stream, const void *data, size_t size)
{
    uint8_t header[LOG_FRAME_HEADER];
    log_frame_header(stream, (uint32_t)size, header);
    int r = l->on_data(header, sizeof header, l->userdata);
    return r < 0 ? r : l->on_data(data, size, l->userdata);
}

/* Passes on the received data up to 'end'. */
static int put_until(struct logs *l, const char *end)
{
    size_t size = (size_t)(end - l->at);
    int r = size > 0 ? l->on_data(l->at, size, l->userdata) : 0;
    l->at = end;
    return r;
}

/* Adds the newline after the last part of a long line: the log driver "local" stores the parts without it
 * (seen in Docker 20.10). The last part is recognized because it is shorter than LINE_PART. A line whose
 * length is a multiple of LINE_PART has no shorter part, so its newline remains lost. */
static int on_local_piece(int stream, const void *data, size_t size, void *userdata)
{
    struct logs *l = userdata;
    const char *end = (const char *)data + size;
    bool *in_line = &l->in_line[stream - LOG_STREAM_OUT];
    l->n_frame += size;
    if (size < l->frames.left)
        return 0;
    bool is_part = end[-1] != '\n' && l->n_frame == LINE_PART;
    bool is_last = end[-1] != '\n' && l->n_frame < LINE_PART && *in_line;
    *in_line = is_part;
    l->n_frame = 0;
    int r = is_last ? put_until(l, end) : 0;
    return r < 0 || !is_last ? r : put_frame(l, stream, "\n", 1);
}

static int hand_on(struct logs *l, const void *data, size_t size)
{
    if (l->terminal)
        return put_frame(l, LOG_STREAM_OUT, data, size);
    struct error e = ERROR_INIT;
    l->at = data;
    int r = log_frames_feed(&l->frames, data, size, l->local ? on_local_piece : NULL, l, &e);
    if (r < 0)
        return e.errnum ? docker_call_fail(l->call, &e) : r;
    return put_until(l, (const char *)data + size);
}

static int on_data(struct docker_call *call, const void *data, size_t size, void *userdata)
{
    (void)call;
    return hand_on(userdata, data, size);
}

static void on_streamed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call, (void)body;
    struct logs *l = userdata;
    struct error own = ERROR_INIT;
    l->call = NULL;
    if (!e && !log_frames_at_boundary(&l->frames)) {
        error_retry(&own, EPROTO, "the log of container %.12s was cut off", l->id);
        e = &own;
    }
    logs_end(l, e);
}

static void on_ping_timer(void *userdata);

/* Plans the next request that checks whether Docker still responds, since a followed log can be without
 * output for days. */
static void plan_ping(struct logs *l)
{
    timer_arm(&l->ping_timer, l->d->event, l->d->settings->request_timeout_usec, on_ping_timer, l);
}

static void on_ping(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call, (void)body;
    struct logs *l = userdata;
    l->ping = NULL;
    if (e)
        logs_end(l, e);
    else
        plan_ping(l);
}

static void on_ping_timer(void *userdata)
{
    struct logs *l = userdata;
    struct docker_ask ask = {.what = "follow a log", .path = "/_ping"};
    l->ping = docker_call(l->d, &ask, on_ping, l);
}

static void logs_stream(struct logs *l)
{
    const struct runtime_log_options *o = &l->options;
    _cleanup_free_ char *since =
        o->since_msec > 0 ? xasprintf("&since=%lld.%03lld000000", (long long)(o->since_msec / 1000),
                                      (long long)(o->since_msec % 1000))
                          : xstrdup("");
    _cleanup_free_ char *tail = o->tail > 0 ? xasprintf("&tail=%lld", (long long)o->tail) : xstrdup("");
    _cleanup_free_ char *path = xasprintf("/containers/%s/logs?stdout=1&stderr=1%s%s%s", l->id,
                                          o->follow ? "&follow=1" : "", since, tail);
    _cleanup_free_ char *what = xasprintf("read the log of container %.12s", l->id);
    struct docker_ask ask = {
        .what = what,
        .path = path,
        .on_data = on_data,
        .quiet_seconds = o->follow ? 0 : (unsigned)(l->d->settings->request_timeout_usec / USEC_PER_SEC) + 1};
    l->call = docker_call(l->d, &ask, on_streamed, l);
    if (o->follow)
        plan_ping(l);
}

static void on_inspected(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct logs *l = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's description of a container", .error = &own};
    l->call = NULL;
    if (!e) {
        l->terminal = read_bool(&r, body, "Config/Tty");
        l->local = streq_null(read_string(&r, body, "HostConfig/LogConfig/Type"), "local");
    }
    if (e || r.r < 0)
        logs_end(l, e ?: &own);
    else
        logs_stream(l);
}

struct runtime_job *docker_logs(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                                runtime_log_data_fn on_log_data, runtime_log_end_fn on_end, void *userdata)
{
    struct logs *l = xcalloc(1, sizeof *l);
    *l = (struct logs){.job = {.cancel = logs_cancel, .pause = logs_pause, .resume = logs_resume},
                       .d = (struct docker *)rt,
                       .on_data = on_log_data,
                       .on_end = on_end,
                       .userdata = userdata,
                       .options = *options,
                       .id = xstrdup(id)};
    _cleanup_free_ char *path = xasprintf("/containers/%s/json", id),
                        *what = xasprintf("inspect container %.12s", id);
    struct docker_ask ask = {.what = what, .path = path, .json = true};
    l->call = docker_call(l->d, &ask, on_inspected, l);
    return &l->job;
}
