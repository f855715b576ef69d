/* Implements watch.h. */
#include "quota-keeper/watch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lib/api/quota_keeper.h"
#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "quota-keeper/questions.h"

static void watcher_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct watcher *w = userdata;
    for (struct watcher **at = &w->manager->watchers; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    free(w);
}

/* Reports whether a hidden directory exists. The provisioner, which deletes it, starts on demand, and the
 * machine can have stopped during the deletion. */
static bool any_hidden(const struct manager *m)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    bool found = false;
    _cleanup_close_ int apps = app_path_open(m->apps, NULL);
    if (apps < 0 || app_path_list(apps, &entries, &n, NULL) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        found |= after_prefix(entries[i].name, APP_PATH_DELETING) != NULL;
    app_path_list_free(entries, n);
    return found;
}

void watch_begin(struct manager *m, struct varlink_call *call, struct quota_values *const *values, size_t n)
{
    struct watcher *w = xcalloc(1, sizeof *w);
    *w = (struct watcher){.next = m->watchers, .manager = m, .call = call};
    m->watchers = w;
    varlink_call_on_gone(call, watcher_gone, w);
    for (size_t i = 0; i < n; i++)
        varlink_notify(call, &(struct quota_watch_out){.quota = values[i]});
    varlink_notify(call, &(struct quota_watch_out){.complete = true, .not_deleted = any_hidden(m)});
}

static void log_level_of(const struct quota_values *v, int before)
{
    const char *level = schema_enum_name(&quota_level_enum, v->level);
    if (v->not_enforced)
        log_warning("%s: its limits are not enforced (any more): %s", v->container, v->not_enforced);
    else if (v->level == before)
        log_notice("%s: its limits are enforced again", v->container);
    else if (v->level > before)
        log_warning("%s uses %" PRId64 " of %" PRId64 " bytes and %" PRId64 " inodes: %s", v->container,
                    v->used, v->hard ?: v->soft, v->used_inodes, level);
    else
        log_notice("%s uses %" PRId64 " of %" PRId64 " bytes: %s", v->container, v->used, v->hard ?: v->soft,
                   level);
}

void watch_see(struct manager *m, const struct quota_values *v)
{
    int before = QUOTA_BELOW;
    if (!registry_note_level(&m->registry, v->container, v->level, v->not_enforced != NULL, &before))
        return;
    log_level_of(v, before);
    struct quota_watch_out out = {.quota = (struct quota_values *)v, .before = before};
    for (struct watcher *w = m->watchers, *next; w; w = next) {
        next = w->next;
        varlink_notify(w->call, &out);
    }
}

static void on_timer(void *userdata)
{
    struct manager *m = userdata;
    question_ask(m, QUESTION_CHECK, NULL, NULL);
}

void watch_arm(struct manager *m)
{
    if (m->check_usec == 0 || timer_armed(&m->check_timer) || registry_count(&m->registry) == 0)
        return;
    timer_arm(&m->check_timer, m->event, m->check_usec, on_timer, m);
}

void watch_free(struct manager *m)
{
    timer_stop(&m->check_timer);
    for (struct watcher *w = m->watchers, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    m->watchers = NULL;
}
