/* Implements sweep.h. */
#include "quota-keeper/sweep.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/api/quota_keeper.h"
#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "quota-keeper/requests.h"

struct sweep {
    struct work work; /* makes the list of names */
    struct sweep *next;
    struct manager *manager;
    struct varlink_call *call;   /* NULL: a sweep without a caller, or the caller hung up */
    bool for_ids, started, gone; /* gone: the caller hung up */
    char **names;
    size_t n, at;
    int result;
    struct error e;
};

bool sweep_is_for_ids(const struct sweep *s)
{
    return s->for_ids;
}

static void sweep_free(struct sweep *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->names[i]);
    free(s->names);
    free(s);
}

/* --- in the thread --- */

static void add_name(struct sweep *s, const char *name)
{
    if (s->n == 0 || !streq(s->names[s->n - 1], name))
        schema_append_string(&s->names, &s->n, name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lists every container that has a project or a directory, and each unfinished or hidden directory by its
 * own name. */
static void list_work(struct work *work)
{
    struct sweep *s = (struct sweep *)work;
    struct registry *r = &s->manager->registry;
    struct places places;
    struct app_path_entry *entries = NULL;
    size_t n = 0, n_items, kept = 0;
    s->result = places_open(&places, r->kernel, r->apps, &s->e);
    if (s->result < 0)
        return;
    s->result = app_path_list(places.apps_fd, &entries, &n, &s->e);
    for (size_t i = 0; i < n; i++)
        add_name(s, entries[i].container ?: entries[i].name);
    app_path_list_free(entries, n);
    places_close(&places);
    struct ledger_item *items = registry_items(r, &n_items);
    for (size_t i = 0; i < n_items; i++)
        add_name(s, items[i].name);
    registry_items_free(items, n_items);
    qsort(s->names, s->n, sizeof s->names[0], compare_names);
    for (size_t i = 0; i < s->n; i++) {
        if (kept > 0 && streq(s->names[kept - 1], s->names[i]))
            free(s->names[i]);
        else
            s->names[kept++] = s->names[i];
    }
    s->n = kept;
}

/* --- in the loop --- */

static void list_done(struct work *work);

/* Starts the next sweep of a kind; one of each kind runs at a time. */
static void start_next(struct manager *m, bool for_ids)
{
    struct sweep *s = m->sweeps;
    while (s && (s->for_ids != for_ids || s->started))
        s = s->next;
    if (!s)
        return;
    s->started = true;
    s->work = (struct work){.run = list_work, .done = list_done};
    workers_add(m->jobs, &s->work);
}

static void end(struct sweep *s)
{
    struct manager *m = s->manager;
    struct varlink_call *call = TAKE_PTR(s->call);
    if (call) {
        varlink_call_on_gone(call, NULL, NULL);
        if (s->result < 0)
            varlink_error(call, &s->e);
        else
            varlink_reply(call, &(struct quota_recheck_out){.container = NULL});
    }
    if (s->result < 0 && s->for_ids)
        log_warning("cannot look for project ids that files of replicas hold: %s", s->e.message);
    bool found = registry_has_freed(&m->registry);
    if (s->for_ids)
        m->reclaimed_in_vain = found ? 0 : now_monotonic_usec();
    bool for_ids = s->for_ids;
    struct sweep **at = &m->sweeps;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    sweep_free(s);
    start_next(m, for_ids);
    if (for_ids || found)
        requests_reclaimed(m, found);
}

static void run_next(struct sweep *s)
{
    bool enough = s->for_ids && registry_has_freed(&s->manager->registry);
    if (s->result < 0 || s->at == s->n || s->gone || enough)
        end(s);
    else
        request_begin_recheck(s->manager, s->names[s->at++], s);
}

void sweep_one_done(struct sweep *s, const char *name, const struct quota_values *values, int result,
                    const struct error *e)
{
    struct quota_recheck_out out = {
        .container = (char *)name,
        .quota = result < 0 ? NULL : (struct quota_values *)values,
        .problem = result < 0 ? (char *)e->message : NULL,
    };
    if (result < 0 && !s->call)
        log_warning("looking for project ids that files of %s hold: %s", name, e->message);
    if (s->call && e->class != ERROR_NOT_FOUND) /* NotFound: the directory was removed meanwhile */
        varlink_notify(s->call, &out);
    run_next(s);
}

static void list_done(struct work *work)
{
    run_next((struct sweep *)work);
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct sweep *s = userdata;
    s->call = NULL;
    s->gone = true;
}

static void begin(struct manager *m, struct varlink_call *call, bool for_ids)
{
    struct sweep *s = xcalloc(1, sizeof *s), **last = &m->sweeps;
    bool waits = false;
    *s = (struct sweep){.manager = m, .call = call, .for_ids = for_ids};
    for (; *last; last = &(*last)->next)
        waits |= (*last)->for_ids == for_ids;
    *last = s;
    if (call)
        varlink_call_on_gone(call, on_gone, s);
    if (!waits)
        start_next(m, for_ids);
}

void sweep_begin(struct manager *m, struct varlink_call *call)
{
    begin(m, call, false);
}

void sweep_reclaim(struct manager *m)
{
    for (const struct sweep *s = m->sweeps; s; s = s->next)
        if (s->for_ids)
            return;
    begin(m, NULL, true);
}

void sweeps_free(struct manager *m)
{
    for (struct sweep *s = m->sweeps, *next; s; s = next) {
        next = s->next;
        sweep_free(s);
    }
    m->sweeps = NULL;
}
