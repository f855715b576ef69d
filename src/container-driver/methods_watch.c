/* Watch: the runtime's events, handed to everyone who watches. The runtime is subscribed to while someone
 * does. */
#include <errno.h>

#include "container-driver/manager.h"

struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
};

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct watcher *w = userdata;
    struct manager *m = w->manager;
    for (struct watcher **at = &m->watchers; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    free(w);
    if (m->watchers)
        return;
    m->flowing = false;
    m->runtime->ops->unwatch(m->runtime);
}

void watch_renew(struct manager *m)
{
    if (!m->watchers)
        return;
    m->flowing = false;
    m->runtime->ops->unwatch(m->runtime);
    m->runtime->ops->watch(m->runtime);
}

void watch_event(const struct driver_watch_out *event, void *userdata)
{
    struct manager *m = userdata;
    if (event->event != DRIVER_EVENT_CONTAINER)
        m->flowing = event->event == DRIVER_EVENT_SUBSCRIBED;
    for (struct watcher *w = m->watchers; w; w = w->next)
        varlink_notify(w->call, event);
}

int method_watch(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    struct manager *m = userdata;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "Watch answers with each event: call it with \"more\"");
    struct watcher *w = xcalloc(1, sizeof *w);
    *w = (struct watcher){.next = m->watchers, .manager = m, .call = call};
    varlink_call_on_gone(call, on_gone, w);
    bool first = !m->watchers;
    m->watchers = w;
    if (first)
        m->runtime->ops->watch(m->runtime);
    else if (m->flowing)
        varlink_notify(call, &(struct driver_watch_out){.event = DRIVER_EVENT_SUBSCRIBED});
    return 0;
}
