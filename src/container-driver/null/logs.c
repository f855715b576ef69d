/* Implements logs.h. The output of a container is one line for its start and one for its exit. */
#include "container-driver/null/logs.h"

#include <errno.h>

#include "lib/logs/frames.h"

struct null_log {
    struct runtime_job job;
    struct null_log *next;
    struct null *n;
    char *id;
    runtime_log_data_fn on_data;
    runtime_log_end_fn on_end;
    void *userdata;
    bool follow, begun;
    int64_t since_msec; /* unix milliseconds; 0: from the beginning */
    sd_event_source *work;
};

static void log_free(struct null_log *l)
{
    for (struct null_log **at = &l->n->logs; *at; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    sd_event_source_disable_unref(l->work);
    free(l->id);
    free(l);
}

static void log_cancel(struct runtime_job *job)
{
    log_free((struct null_log *)job);
}

/* Ignores pause and resume: the output is so short that the reader buffers it. */
static void log_nothing(struct runtime_job *job)
{
    (void)job;
}

static int say(struct null_log *l, int stream, const char *text)
{
    uint8_t header[LOG_FRAME_HEADER];
    log_frame_header(stream, (uint32_t)strlen(text), header);
    int r = l->on_data(header, sizeof header, l->userdata);
    return r < 0 ? r : l->on_data(text, strlen(text), l->userdata);
}

static void log_end(struct null_log *l, const struct error *e)
{
    l->on_end(e, l->userdata);
    log_free(l);
}

static int on_work(sd_event_source *s, void *userdata)
{
    (void)s;
    struct null_log *l = userdata;
    struct null_container *k = null_find(l->n, l->id);
    struct error e = ERROR_INIT;
    int r = k ? 0 : null_no_container(l->id, &e);
    if (r == 0 && !l->begun && k->c->started_at > 0 && k->c->started_at >= l->since_msec)
        r = say(l, LOG_STREAM_OUT, "started\n");
    l->begun = k && k->c->started_at > 0;
    bool ended = k && k->c->state != DRIVER_RUNNING && k->c->started_at > 0;
    if (r == 0 && ended && k->c->finished_at >= l->since_msec) {
        _cleanup_free_ char *line = xasprintf("exited with code %lld\n", (long long)k->c->exit_code);
        r = say(l, LOG_STREAM_ERROR, line);
    }
    if (r < 0 || ended || !l->follow || !k)
        log_end(l, e.errnum ? &e : NULL);
    return 0;
}

void null_logs_changed(struct null_container *k)
{
    for (struct null_log *l = k->null->logs; l; l = l->next)
        if (streq(l->id, k->c->id))
            sd_event_source_set_enabled(l->work, SD_EVENT_ONESHOT);
}

struct runtime_job *null_logs(struct runtime *rt, const char *id, const struct runtime_log_options *options,
                              runtime_log_data_fn on_data, runtime_log_end_fn on_end, void *userdata)
{
    struct null *n = (struct null *)rt;
    struct null_log *l = xcalloc(1, sizeof *l);
    *l = (struct null_log){.job = {.cancel = log_cancel, .pause = log_nothing, .resume = log_nothing},
                           .next = n->logs,
                           .n = n,
                           .id = xstrdup(id),
                           .on_data = on_data,
                           .on_end = on_end,
                           .userdata = userdata,
                           .follow = options->follow,
                           .since_msec = options->since_msec};
    n->logs = l;
    sd_event_add_defer(n->event, &l->work, on_work, l);
    return &l->job;
}
