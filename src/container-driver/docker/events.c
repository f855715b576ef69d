/* Implements events.h: one stream for all watchers, which is opened again whenever it ends. While no
 * events arrive, the stream does not detect that Docker hangs; the next request does and then ends the stream
 * (docker_events_break()). */
#include "container-driver/docker/events.h"

#include <errno.h>

#include "container-driver/docker/call.h"
#include "container-driver/docker/event.h"
#include "container-driver/lines.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"

#define LINE_MAX_BYTES ((size_t)256 << 10)
#define HEALTHY_USEC   (10 * USEC_PER_SEC) /* a stream that lasted longer resets the backoff */

static const struct retry_policy policy = {100 * USEC_PER_MSEC, 5 * USEC_PER_SEC};

struct docker_events {
    struct docker *d;
    bool wanted, subscribed;
    bool told_lost; /* on_flow was called with the reason of this outage */
    struct docker_call *call;
    struct retry retry;
    struct timer timer; /* until the next attempt */
    uint64_t since_usec;
    struct lines lines;
};

static void events_begin(struct docker_events *s);

static void tell_flow(const struct docker_events *s, const char *lost)
{
    const struct runtime *rt = &s->d->rt;
    if (rt->on_flow)
        rt->on_flow(lost, rt->watch_userdata);
}

static void on_retry(void *userdata)
{
    events_begin(userdata);
}

/* Handles the end of the stream: plans the next attempt, and reports the outage once. */
static void events_lost(struct docker_events *s, const char *reason)
{
    bool was = s->subscribed;
    s->subscribed = false;
    lines_done(&s->lines);
    if (was && now_monotonic_usec() - s->since_usec > HEALTHY_USEC)
        s->retry.failures = 0;
    timer_arm(&s->timer, s->d->event, retry_next(&s->retry, &policy), on_retry, s);
    if (s->told_lost)
        return;
    s->told_lost = true;
    tell_flow(s, reason);
}

static int on_line(char *line, size_t size, void *userdata)
{
    struct docker_events *s = userdata;
    const struct runtime *rt = &s->d->rt;
    struct driver_event events[DOCKER_EVENT_REPLICAS];
    struct error e = ERROR_INIT;
    int n = docker_read_event(line, size, s->d->settings->tree_id, s->d->settings->adopted, events, &e);
    if (n < 0)
        return docker_call_fail(s->call, &e);
    for (int i = 0; i < n; i++) {
        if (rt->on_event)
            rt->on_event(&events[i], rt->watch_userdata);
        driver_event_done(&events[i]);
    }
    return 0;
}

static int on_data(struct docker_call *call, const void *data, size_t size, void *userdata)
{
    struct docker_events *s = userdata;
    struct error e = ERROR_INIT;
    int r = lines_feed(&s->lines, data, size, on_line, s, &e);
    return r < 0 && e.errnum ? docker_call_fail(call, &e) : r;
}

static void on_begin(struct docker_call *call, void *userdata)
{
    (void)call;
    struct docker_events *s = userdata;
    s->subscribed = true;
    s->told_lost = false;
    s->since_usec = now_monotonic_usec();
    docker_set_state(s->d, DRIVER_RUNTIME_UP, NULL);
    tell_flow(s, NULL);
}

static void on_ended(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call, (void)body;
    struct docker_events *s = userdata;
    s->call = NULL;
    events_lost(s, e ? e->message : "Docker ended the stream of its events");
}

static void events_begin(struct docker_events *s)
{
    timer_stop(&s->timer);
    /* Docker can filter by the label, which an adopted container does not carry. With an entry in the ledger,
     * Docker sends the events of all containers, and docker_read_event() filters them. */
    _cleanup_free_ char *label =
        adopted_is_empty(s->d->settings->adopted)
            ? xasprintf(",\"label\":[\"" LABEL_TREE "=%s\"]", s->d->settings->tree_id)
            : xstrdup("");
    _cleanup_free_ char *filters = xasprintf("{\"type\":[\"container\"]%s}", label);
    _cleanup_free_ char *escaped = docker_escape(filters), *path = xasprintf("/events?filters=%s", escaped);
    s->lines = (struct lines){.max = LINE_MAX_BYTES};
    struct docker_ask ask = {
        .what = "watch Docker's events", .path = path, .on_data = on_data, .on_begin = on_begin};
    s->call = docker_call(s->d, &ask, on_ended, s);
}

void docker_events_break(struct docker_events *s, const char *reason)
{
    if (!s || !s->subscribed)
        return;
    docker_call_cancel(s->call);
    s->call = NULL;
    events_lost(s, reason);
}

void docker_watch(struct runtime *rt)
{
    struct docker_events *s = ((struct docker *)rt)->events;
    if (s->wanted)
        return;
    s->wanted = true;
    s->told_lost = false;
    s->retry.failures = 0;
    events_begin(s);
}

void docker_unwatch(struct runtime *rt)
{
    struct docker_events *s = ((struct docker *)rt)->events;
    s->wanted = s->subscribed = false;
    docker_call_cancel(s->call);
    s->call = NULL;
    timer_stop(&s->timer);
    lines_done(&s->lines);
}

struct docker_events *docker_events_new(struct docker *d)
{
    struct docker_events *s = xcalloc(1, sizeof *s);
    s->d = d;
    return s;
}

void docker_events_free(struct docker_events *s)
{
    if (!s)
        return;
    docker_unwatch(&s->d->rt);
    free(s);
}
