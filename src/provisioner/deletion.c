/* Implements deletion.h. */
#include "provisioner/deletion.h"

#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "provisioner/removal.h"

/* The backoff of a deletion that fails: 1 s, doubling up to 600 s. Only an administrator or a repaired
 * disk removes the cause. */
static const struct retry_policy policy = {USEC_PER_SEC, 600 * USEC_PER_SEC};

struct waiter {
    struct waiter *next;
    deletion_done_fn done;
    void *userdata;
};

struct deletion {
    struct work work;
    struct manager *manager;
    struct deletion *next;
    char *apps, *of;
    /* again: something was hidden, or deletion_start() was called, since the running job began */
    bool running, again;
    int64_t before; /* kept data removed before (unix seconds) is hidden first; 0: none */
    struct waiter *waiters;
    struct retry retry;
    struct timer timer;
    struct error last; /* error of the last attempt; errnum 0: no attempt failed */

    /* Results of the job. */
    struct names deleted;
    unsigned expired;
    int result;
    struct error e;
};

static struct deletion *find(const struct manager *m, const char *of)
{
    for (struct deletion *d = m->pending; d; d = d->next)
        if (streq(d->of, of))
            return d;
    return NULL;
}

static struct deletion *find_or_add(struct manager *m, const char *of)
{
    struct deletion *d = find(m, of);
    if (d)
        return d;
    d = xcalloc(1, sizeof *d);
    *d = (struct deletion){
        .manager = m, .apps = xstrdup(m->apps), .of = xstrdup(of), .next = m->pending, .deleted = {NULL, 0}};
    m->pending = d;
    return d;
}

static void remove_deletion(struct deletion *d)
{
    for (struct deletion **at = &d->manager->pending; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    timer_stop(&d->timer);
    names_clear(&d->deleted);
    free(d->apps);
    free(d->of);
    free(d);
}

static void tell_waiters(struct deletion *d, int result, const struct error *e)
{
    for (struct waiter *w = TAKE_PTR(d->waiters), *next; w; w = next) {
        next = w->next;
        w->done(result, e, w->userdata);
        free(w);
    }
}

static void run(struct deletion *d);

static void on_timer(void *userdata)
{
    run(userdata);
}

static void try_again_later(struct deletion *d)
{
    uint64_t pause = retry_next(&d->retry, &policy);
    d->last = d->e;
    log_warning("%s is not deleted: %s; tried again in %.3g s", d->of, d->e.message,
                (double)pause / (double)USEC_PER_SEC);
    timer_arm(&d->timer, d->manager->event, pause, on_timer, d);
}

/* --- jobs --- */

static void delete_work(struct work *work)
{
    struct deletion *d = (struct deletion *)work;
    d->result = removal_delete(d->apps, d->of, &d->deleted, &d->e);
}

static void expire_work(struct work *work)
{
    struct deletion *d = (struct deletion *)work;
    d->result = removal_expire(d->apps, d->of, d->before, &d->expired, &d->e);
}

static void delete_done(struct work *work)
{
    struct deletion *d = (struct deletion *)work;
    d->running = false;
    for (size_t i = 0; i < d->deleted.n; i++)
        log_info("finished the deletion of %s", d->deleted.items[i]);
    names_clear(&d->deleted);
    if (d->result >= 0 && d->again) {
        run(d);
        return;
    }
    if (d->result < 0)
        try_again_later(d);
    tell_waiters(d, d->result, &d->e);
    if (d->result >= 0)
        remove_deletion(d);
}

static void expire_done(struct work *work)
{
    struct deletion *d = (struct deletion *)work;
    d->running = false;
    if (d->result < 0) {
        try_again_later(d);
        tell_waiters(d, d->result, &d->e);
        return;
    }
    if (d->expired > 0)
        log_info("%s: deletes the kept data of %u earlier removals, whose time has expired", d->of,
                 d->expired);
    d->before = 0;
    run(d);
}

/* Queues the next job. Hiding expired data goes through the queue of its container's requests, because a
 * Provision can restore that data at the same time. */
static void run(struct deletion *d)
{
    struct manager *m = d->manager;
    bool expire = d->before > 0;
    timer_stop(&d->timer);
    d->running = true;
    d->again = false;
    d->work = (struct work){.key = expire ? d->of : NULL,
                            .run = expire ? expire_work : delete_work,
                            .done = expire ? expire_done : delete_done};
    workers_add(expire ? m->jobs : m->deletions, &d->work);
}

static void run_or_again(struct deletion *d)
{
    d->again = true;
    if (!d->running)
        run(d);
}

/* --- functions for other files --- */

void deletion_start(struct manager *m, const char *of, deletion_done_fn done, void *userdata)
{
    struct deletion *d = find_or_add(m, of);
    if (done) {
        struct waiter *w = xcalloc(1, sizeof *w);
        *w = (struct waiter){d->waiters, done, userdata};
        d->waiters = w;
    }
    run_or_again(d);
}

void deletion_expire(struct manager *m, const char *container, int64_t before)
{
    struct deletion *d = find_or_add(m, container);
    if (d->running && d->before > 0)
        return; /* the thread reads 'before' */
    d->before = before;
    run_or_again(d);
}

static int list_here(const struct manager *m, struct app_path_entry **ret, size_t *ret_n, struct error *e)
{
    _cleanup_close_ int apps = app_path_open(m->apps, e);
    return apps < 0 ? apps : app_path_list(apps, ret, ret_n, e);
}

int deletions_recover(struct manager *m, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int r = list_here(m, &entries, &n, e);
    for (size_t i = 0; i < n; i++) {
        struct error why = ERROR_INIT;
        const char *making = after_prefix(entries[i].name, APP_PATH_MAKING);
        if (making && removal_hide_unfinished(m->apps, making, &why) < 0)
            log_warning("%s; the next Provision uses the directory, or the next start hides it", why.message);
    }
    app_path_list_free(entries, n);
    n = 0;
    if (r >= 0)
        r = list_here(m, &entries, &n, e);
    for (size_t i = 0; i < n; i++)
        if (after_prefix(entries[i].name, APP_PATH_DELETING))
            deletion_start(m, entries[i].hidden_of ?: entries[i].name, NULL, NULL);
    if (n > 0)
        app_path_list_free(entries, n);
    return r;
}

bool deletions_pending(const struct manager *m)
{
    return m->pending;
}

static void notify(struct varlink_call *call, const struct manager *m, const struct deletion *d,
                   const char *of, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s%s%s", m->apps, name ? "/" : "", name ?: "");
    struct provisioner_deletions_out out = {.path = path, .container = (char *)of};
    if (d) {
        out.running = d->running;
        out.attempts = d->retry.failures;
        out.next_retry = timer_due_msec(&d->timer);
        out.message = d->last.errnum ? (char *)d->last.message : NULL;
    }
    varlink_notify(call, &out);
}

int deletions_list(struct varlink_call *call, struct manager *m, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int r = list_here(m, &entries, &n, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if (after_prefix(entries[i].name, APP_PATH_DELETING)) {
            const char *of = entries[i].hidden_of;
            notify(call, m, find(m, of ?: entries[i].name), of, entries[i].name);
        }
    app_path_list_free(entries, n);
    for (const struct deletion *d = m->pending; d; d = d->next)
        if (d->before > 0 && d->last.errnum) /* kept data that cannot be hidden */
            notify(call, m, d, d->of, NULL);
    varlink_reply(call, &(struct provisioner_deletions_out){.path = NULL});
    return 0;
}

void deletions_free(struct manager *m)
{
    while (m->pending) {
        struct deletion *d = m->pending;
        for (struct waiter *w = TAKE_PTR(d->waiters), *next; w; w = next) {
            next = w->next;
            free(w); /* the closed connection is the caller's answer */
        }
        if (d->running) { /* its thread runs until the process exits */
            m->pending = d->next;
            timer_stop(&d->timer);
        } else {
            remove_deletion(d);
        }
    }
}
