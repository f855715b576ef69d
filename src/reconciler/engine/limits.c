/* Implements limits.h. rules/limits.c compares. */
#include "reconciler/engine/limits.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/limits.h"

void limits_forget_pause(struct replica *r)
{
    r->limits.count = (struct retry){0};
    r->limits.next = 0;
    timer_stop(&r->limits.timer);
}

static void on_retry(void *userdata)
{
    struct replica *r = userdata;
    r->limits.next = 0;
    r->seen.stale = true;
    replica_kick(r);
}

static void fail(struct replica *r, const char *reason)
{
    struct manager *m = r->instance->manager;
    uint64_t pause = retry_next(&r->limits.count, &m->settings.retry);
    log_warning("%s/%lld: the limits are not set: %s; retried in %.3g s", r->instance->record->name,
                (long long)r->record->id, reason, (double)pause / USEC_PER_SEC);
    set_string(&r->limits.failure, reason);
    r->limits.next = replica_monotonic_usec(r) + pause;
    clock_arm(m->outside->clock, &r->limits.timer, pause, on_retry, r);
    instance_changed(r->instance);
}

/* Stores the limits in the record if they differ from those that the container was created with, or did. */
static void store(struct replica *r, const struct record_revision *target, const struct record_limits *limits)
{
    struct record_replica *record = r->record;
    if (record->limits ? limits_equal(record->limits, limits) : !target->first_limits)
        return;
    if (!record->limits)
        record->limits = xcalloc(1, sizeof *record->limits);
    *record->limits = *limits;
    store_save_soon(r->instance);
}

static void clear(struct replica *r)
{
    r->limits.due = r->limits.set = false;
    limits_forget_pause(r);
    if (r->limits.failure)
        instance_changed(r->instance);
    set_string(&r->limits.failure, NULL);
}

void limits_note(struct replica *r, const struct record_revision *target)
{
    const struct driver_container *c = &r->seen.current;
    const struct driver_info_out *machine = r->instance->manager->info;
    bool compared = c->state != DRIVER_MISSING && c->ours && c->revision == target->revision &&
                    replica_want(r) == WANT_RUN && !r->record->unassigned;
    struct record_limits is = limits_of_container(c);
    r->limits.desired = compared ? limits_desired(c, target, machine ? machine->cpus : 0) : is;
    if (limits_equal(&is, &r->limits.desired)) {
        if (compared)
            store(r, target, &is);
        clear(r);
        return;
    }
    r->limits.due = true;
    if (r->limits.set) {
        _cleanup_free_ char *text = limits_text(&is), *reason = NULL;
        reason = xasprintf("the runtime accepted them, and shows others: %s", text);
        r->limits.set = false;
        fail(r, reason);
    }
}

bool limits_are_due(const struct replica *r)
{
    return r->limits.due && r->limits.next == 0;
}

void limits_log(const struct replica *r)
{
    const struct record_revision *target = target_of(r);
    struct record_limits is = limits_of_container(&r->seen.current),
                         first = record_limits_of(target->manifest);
    const struct record_limits *last = r->record->limits ?: target->first_limits ?: &first;
    /* An adopted container may have had other limits from the beginning. */
    bool foreign = limits_equal(last, &r->limits.desired) && !(r->seen.current.adopted && !r->record->limits);
    _cleanup_free_ char *from = limits_text(&is), *to = limits_text(&r->limits.desired);
    log_notice("%s/%lld: the limits of the container change from %s to %s%s", r->instance->record->name,
               (long long)r->record->id, from, to, foreign ? ", because another program changed them" : "");
}

void limits_were_set(struct replica *r)
{
    r->limits.set = true;
    r->seen.stale = true;
}

bool limits_may_wait(struct replica *r, const struct error *e)
{
    if (error_worker_lost(e))
        return false;
    fail(r, e->message);
    return true;
}
