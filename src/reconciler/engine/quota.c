/* Implements quota.h. */
#include "reconciler/engine/quota.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/api/quota_keeper.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/steps.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

#define LEAST    ((int64_t)100 << 20) /* bytes; the contract's least limit */
#define NO_LIMIT "no limit"           /* the text of record->quota */

/* --- the steps --- */

/* Returns the limit in bytes; 0: none. The contract has a least limit for its own containers; what an
 * ordinary image needs, a database for example, only its manifest can state. */
static int64_t limit_of(const struct replica *r)
{
    const struct record_revision *target = target_of(r);
    int64_t limit = target->manifest->app->deploy->volume_limit;
    return has_agent(target) && limit < LEAST ? LEAST : limit;
}

bool quota_raises(const struct replica *r)
{
    int64_t limit = limit_of(r);
    return r->record->quota_limit != 0 && (limit == 0 || r->record->quota_limit < limit);
}

void quota_write_failed(struct replica *r)
{
    if (!r->done.quota_set && r->record->quota_limit != 0)
        r->record->quota_limit = 1; /* any limit is larger: quota_raises() is true */
}

void quota_ensure(struct replica *r)
{
    _cleanup_free_ char *name = container_name(r);
    struct quota_ensure_in in = {.container = name, .soft = limit_of(r), .hard = limit_of(r)};
    step_call(r, r->instance->manager->quota_socket, &quota_keeper_interface, "Ensure", &in, CALL_TIMEOUT);
}

void quota_was_set(struct replica *r, const void *out)
{
    const struct quota_values *values = out;
    free(r->record->quota);
    r->record->quota = values->hard ? xasprintf("%lld bytes", (long long)values->hard) : xstrdup(NO_LIMIT);
    r->record->quota_limit = limit_of(r);
    r->quota.level = values->level;
    r->done.quota_set = true;
    r->quota.missing = false;
    set_string(&r->quota.lost, NULL);
    store_save_soon(r->instance);
}

static void ask_again(struct manager *m)
{
    for (struct instance *i = m->instances; i; i = i->next)
        for (size_t k = 0; k < i->n_replicas; k++) {
            struct replica *r = i->replicas[k];
            if (!r->quota.missing)
                continue;
            r->quota.missing = r->done.quota_set = false;
            instance_kick(i);
        }
}

static void on_retry(void *userdata)
{
    ask_again(userdata);
}

static void ask_again_later(struct manager *m)
{
    uint64_t pause = retry_next(&m->quota_retry, &m->settings.retry);
    if (!timer_armed(&m->quota_retry_timer))
        clock_arm(m->outside->clock, &m->quota_retry_timer, pause, on_retry, m);
}

/* Reports whether the replica runs its applied revision. It then continues without a limit, too. */
static bool runs_on(const struct replica *r)
{
    const struct driver_container *c = &r->seen.current;
    return driver_state_is_up(c->state) && r->record->applied_revision != 0 &&
           c->revision == r->record->applied_revision;
}

bool quota_may_be_missing(struct replica *r, const struct error *e)
{
    struct manager *m = r->instance->manager;
    bool required = m->settings.quota_required, limited = limit_of(r) != 0;
    bool retry = e->class == ERROR_RETRY,
         died = error_worker_lost(e) && r->retry.count.quick < RETRY_QUICK_TRIES;
    if (e->class == ERROR_NOT_FOUND && quota_raises(r)) { /* the directory is missing: provision it first */
        r->record->quota_limit = 0;
        return true;
    }
    if (died || (retry && !runs_on(r)) || (required && limited && !runs_on(r)))
        return false;
    free(r->record->quota);
    r->record->quota =
        limited ? xasprintf("not enforced (%s)", e->message) : xasprintf(NO_LIMIT ", not counted");
    if (runs_on(r) && limited)
        log_warning("%s/%lld: the limit of disk space is not enforced: %s", r->instance->record->name,
                    (long long)r->record->id, e->message);
    if (retry || e->class == ERROR_FAILED) /* for example, no project id is free */
        ask_again_later(m);
    r->done.quota_set = r->quota.missing = true;
    store_save_soon(r->instance);
    return true;
}

/* --- quota-keeper's Watch --- */

static void see(struct manager *m, const struct quota_values *values)
{
    _cleanup_free_ char *name = NULL;
    int64_t id;
    if (app_container_name_parse(values->container, &name, &id) < 0)
        return;
    struct instance *instance = manager_find(m, name);
    struct replica *r = instance ? instance_find_replica(instance, id) : NULL;
    if (!r || (r->quota.level == values->level && streq_null(r->quota.lost, values->not_enforced)))
        return;
    if (r->quota.lost && !values->not_enforced) { /* limits may have been lost meanwhile: set it again */
        r->done.quota_set = false;
        instance_kick(instance);
    }
    r->quota.level = values->level;
    set_string(&r->quota.lost, values->not_enforced);
    instance_changed(instance);
}

static void on_deletion(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)e;
    struct manager *m = userdata;
    if (!continues)
        m->deletions = NULL;
}

/* Calls the provisioner, which is started on demand and then continues the deletions that a restart
 * interrupted. */
static void finish_deletions(struct manager *m)
{
    if (!m->deletions)
        m->deletions = manager_call(m, m->provisioner_socket, &provisioner_interface, "Deletions", NULL, true,
                                    CALL_TIMEOUT, on_deletion, m);
}

static void on_item(const void *out, void *userdata)
{
    const struct quota_watch_out *told = out;
    if (told->quota)
        see(userdata, told->quota);
}

/* Requests the missing limits again, since quota-keeper is available. */
static void on_complete(const void *out, void *userdata)
{
    struct manager *m = userdata;
    m->quota_retry = (struct retry){0};
    ask_again(m);
    if (((const struct quota_watch_out *)out)->not_deleted)
        finish_deletions(m);
}

void quota_start(struct manager *m)
{
    static const struct follower_handlers handlers = {.item = on_item, .complete = on_complete};
    m->quotas = manager_follow(m, m->quota_socket, &quota_keeper_interface, &handlers);
}

void quota_stop(struct manager *m)
{
    follower_free(m->quotas);
    m->outside->cancel(m->outside, m->deletions);
    timer_stop(&m->quota_retry_timer);
}

/* --- texts --- */

static const char *words_of(int level)
{
    switch (level) {
    case QUOTA_THRESHOLD:
        return ", almost full";
    case QUOTA_SOFT:
        return ", over its soft limit";
    case QUOTA_FULL:
        return ", full";
    case QUOTA_OVER:
        return ", over quota";
    default:
        return "";
    }
}

char *quota_text(const struct replica *r)
{
    const struct driver_container *c =
        r->seen.current.state != DRIVER_MISSING ? &r->seen.current : &r->seen.old;
    const char *partial = c->state != DRIVER_MISSING && c->ours && c->layer_limit == 0
                              ? "partial: writable layer unlimited"
                              : "";
    if (r->quota.lost)
        return xasprintf("not enforced (%s)", r->quota.lost);
    if (!r->record->quota)
        return NULL;
    if (after_prefix(r->record->quota, "not enforced") || after_prefix(r->record->quota, NO_LIMIT))
        return xstrdup(r->record->quota);
    return xasprintf("%s%s%s%s", r->record->quota, words_of(r->quota.level), *partial ? "; " : "", partial);
}
