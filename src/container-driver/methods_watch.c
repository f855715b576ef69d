/* Implements Watch, which sends all containers and then the runtime's events to each watcher. The driver
 * receives the runtime's events while at least one watcher exists. It lists the containers only while events
 * arrive, so that a change during the listing is an event. */
#include "container-driver/methods_watch.h"

#include <errno.h>
#include <stdlib.h>

struct listing;

struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
    struct listing *listing; /* while the snapshot is sent; else NULL */
};

/* A runtime's list that is in progress. It cannot be cancelled; when its watcher ends, its results are
 * dropped. */
struct listing {
    struct watcher *watcher; /* NULL: the results are dropped */
};

static void stop_listing(struct watcher *w)
{
    if (w->listing)
        w->listing->watcher = NULL;
    w->listing = NULL;
}

static void watcher_free(struct watcher *w)
{
    struct manager *m = w->manager;
    for (struct watcher **at = &m->watchers; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    stop_listing(w);
    free(w);
    if (m->watchers)
        return;
    m->flowing = false;
    free(TAKE_PTR(m->lost));
    m->runtime->ops->unwatch(m->runtime);
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    watcher_free(userdata);
}

/* Ends a watcher's stream: with the error 'e', or, when 'e' is NULL, with an empty reply, upon which the
 * caller calls again at once. */
static void watcher_end(struct watcher *w, const struct error *e)
{
    struct varlink_call *call = w->call;
    varlink_call_on_gone(call, NULL, NULL);
    watcher_free(w);
    if (e)
        varlink_error(call, e);
    else
        varlink_reply(call, &(struct driver_watch_out){.container = NULL});
}

static void on_listed(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct listing *listing = userdata;
    struct watcher *w = listing->watcher;
    if (w && !e && result->more)
        varlink_notify(w->call, &(struct driver_watch_out){.container = result->container});
    if (!e && result->more)
        return;
    free(listing);
    if (!w)
        return;
    w->listing = NULL;
    if (e)
        watcher_end(w, e);
    else
        varlink_notify(w->call, &(struct driver_watch_out){.complete = true});
}

static void list(struct watcher *w)
{
    struct runtime *rt = w->manager->runtime;
    stop_listing(w);
    w->listing = xcalloc(1, sizeof *w->listing);
    w->listing->watcher = w;
    rt->ops->list(rt, on_listed, w->listing);
}

void watch_renew(struct manager *m)
{
    for (struct watcher *w = m->watchers, *next; w; w = next) {
        next = w->next;
        watcher_end(w, NULL);
    }
}

void watch_event(const struct driver_event *event, void *userdata)
{
    const struct manager *m = userdata;
    const struct driver_watch_out out = {.event = (struct driver_event *)event};
    for (struct watcher *w = m->watchers; w; w = w->next)
        varlink_notify(w->call, &out);
}

void watch_flow(const char *lost, void *userdata)
{
    struct manager *m = userdata;
    m->flowing = !lost;
    free(m->lost);
    m->lost = xstrdup_null(lost);
    for (struct watcher *w = m->watchers, *next; w; w = next) {
        next = w->next;
        stop_listing(w);
        if (lost)
            varlink_notify(w->call, &(struct driver_watch_out){.lost = m->lost});
        else
            list(w);
    }
}

int method_watch(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    struct manager *m = userdata;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "Watch sends one reply for each event: call it with \"more\"");
    struct watcher *w = xcalloc(1, sizeof *w);
    *w = (struct watcher){.next = m->watchers, .manager = m, .call = call};
    varlink_call_on_gone(call, on_gone, w);
    bool first = !m->watchers;
    m->watchers = w;
    if (first)
        m->runtime->ops->watch(m->runtime);
    else if (m->flowing)
        list(w);
    else if (m->lost)
        varlink_notify(call, &(struct driver_watch_out){.lost = m->lost});
    return 0;
}
