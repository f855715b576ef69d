/* Implements journal.h. The next step begins after the record of a rollback's begin or end was written, or,
 * if the write failed, after a pause. The other writes may be later. */
#include "reconciler/engine/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/replica.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/exit_reason.h"

#define LAST_WORDS_MAX ((size_t)8 << 10) /* bytes of output in a reason */

/* Saves the record. On failure it plans a retry of the replica and returns false. The caller keeps a change
 * that is still true then (a rollback has begun), and undoes one from which a step must be repeated (a
 * rollback is complete). */
static bool save_or_retry(struct replica *r)
{
    struct error e = ERROR_INIT;
    if (store_save(r->instance, &e) >= 0)
        return true;
    replica_retry_later(r, &e);
    return false;
}

/* Saves the record now, or if that fails, soon. */
static void save_or_warn(const struct replica *r)
{
    struct error e = ERROR_INIT;
    if (store_save(r->instance, &e) >= 0)
        return;
    log_warning("%s", e.message);
    store_save_soon(r->instance);
}

static void set_applied_ports(struct record_replica *record)
{
    for (size_t i = 0; i < record->n_applied_ports; i++)
        schema_free(&app_service_port_schema, record->applied_ports[i]);
    record->n_applied_ports = 0;
    for (size_t i = 0; i < record->n_ports; i++)
        schema_copy(&app_service_port_schema, record->ports[i],
                    schema_append(&record->applied_ports, &record->n_applied_ports, sizeof **record->ports));
}

void journal_commit(struct replica *r)
{
    r->record->applied_revision = replica_target_revision(r);
    r->record->failed_revision = 0;
    r->record->attempt = 0;
    set_string(&r->record->failure, NULL);
    set_string(&r->message, NULL);
    if (r->record->applied_revision == r->instance->record->revision)
        set_applied_ports(r->record);
    stages_proven(r);
    save_or_warn(r);
    replica_step_over(r);
}

void journal_adopt(struct replica *r)
{
    struct record *record = r->instance->record;
    struct driver_container *c = &r->seen.current;
    if (!c->adopted || c->state == DRIVER_MISSING || r->record->applied_revision != 0 ||
        r->record->rolling_back)
        return;
    if (!record_is_zone(record))
        c->revision = 0;
    /* A tenant can have written a number that no order has reached, so that none would switch it. */
    bool above = c->revision > record->revision;
    if (c->revision < 1 || (above && c->unsure) || replica_want(r) == WANT_NOTHING)
        return;
    log_notice("%s/%lld: the adopted container runs revision %lld", record->name, (long long)r->record->id,
               (long long)c->revision);
    if (above) /* an order with a lower number causes no switch */
        record_add_revision(record, c->revision, record_find_revision(record, record->revision)->manifest);
    else if (!record_find_revision(record, c->revision))
        record_assume_revision(record, c->revision);
    r->record->applied_revision = c->revision;
    if (c->revision == record->revision)
        set_applied_ports(r->record);
    save_or_warn(r); /* before a switch puts the container aside */
}

void journal_begin_undo(struct replica *r, const char *reason, enum app_stage_name stage)
{
    log_warning("%s/%lld: revision %lld failed: %s", r->instance->record->name, (long long)r->record->id,
                (long long)replica_target_revision(r), reason);
    r->record->rolling_back = replica_target_revision(r);
    set_string(&r->record->failure, reason);
    set_string(&r->message, reason);
    stage_set(r, stage, STAGE_FAILED, reason);
    r->done.restored = false;
    r->step = STEP_SETTLED;
    if (save_or_retry(r))
        replica_step_over(r);
}

/* Returns the index of the first line to keep, so that the text is short enough: the record stores it twice
 * for each of up to 128 replicas. */
static size_t first_line(const struct driver_tail_out *tail)
{
    size_t room = LAST_WORDS_MAX, i = tail ? tail->n_lines : 0;
    while (i > 0 && strlen(tail->lines[i - 1]) < room)
        room -= strlen(tail->lines[--i]) + 1;
    return i;
}

/* Describes an exit during the probation. Docker sets oom_killed when any process of the container was killed
 * for lack of memory since the container was made. */
static char *why_exited(const struct replica *r)
{
    const struct driver_container *c = &r->seen.current;
    bool oom = c->oom_killed || (r->exits.oom_at != 0 && r->exits.oom_at >= r->seen.uptime.since);
    struct exit_facts facts = {.code = c->exit_code, .oom = oom, .memory_limit = c->memory_limit};
    _cleanup_free_ char *reason = exit_reason(&facts);
    bool has_error = c->error && *c->error;
    return xasprintf("%s, before its probation was over%s%s", reason, has_error ? ": " : "",
                     has_error ? c->error : "");
}

/* Describes an application that was not ready in time. */
static char *why_late(const struct replica *r)
{
    const struct record_agent *agent = r->record->agent;
    const char *status = agent && readiness_is_of_life(agent, &r->seen.current) ? agent->status : NULL;
    uint64_t seconds = (replica_monotonic_usec(r) - r->seen.uptime.since) / USEC_PER_SEC;
    const struct app_task *task = app_ready_task(target_of(r)->manifest->app->spec);
    return xasprintf("the application was not ready %llu s after its start: task '%s' sent no READY=1 "
                     "(ready_timeout: %lld s)%s%s%s",
                     (unsigned long long)seconds, task ? task->name : "?",
                     (long long)(task ? task->ready_timeout : 0), status ? "; its status is '" : "",
                     status ?: "", status ? "'" : "");
}

void journal_fail(struct replica *r, const void *last_words)
{
    const struct driver_tail_out *tail = last_words;
    const struct driver_container *c = &r->seen.current;
    _cleanup_free_ char *reason = NULL;
    if (c->state == DRIVER_MISSING)
        reason = xstrdup(r->record->failure ?: "the container disappeared");
    else if (c->state == DRIVER_RUNNING)
        reason = why_late(r);
    else
        reason = why_exited(r);
    for (size_t i = first_line(tail), first = i; tail && i < tail->n_lines; i++) {
        char *longer = xasprintf("%s%s%s", reason, i > first ? "\n" : ":\n", tail->lines[i]);
        free(reason);
        reason = longer;
    }
    journal_begin_undo(r, reason, STAGE_CONTAINER_RUNNING);
}

void journal_gone(struct replica *r)
{
    struct record_replica *record = r->record;
    if (!record->applied_revision && !record->rolling_back && !record->failure && !record->quota)
        return;
    record->applied_revision = record->failed_revision = record->rolling_back = record->attempt = 0;
    record->update_files = false;
    r->done.quota_set = r->done.provisioned = false;
    set_string(&record->failure, NULL);
    set_string(&record->quota, NULL);
    set_string(&r->message, NULL);
    store_save_soon(r->instance);
    instance_kick(r->instance); /* packages are removed with the last replica */
}

void journal_undone(struct replica *r)
{
    struct record_replica *record = r->record;
    struct record_replica before = *record;
    /* If the old container was lost, another one is made of the applied revision. */
    const struct record_revision *applied =
        record_find_revision(r->instance->record, record->applied_revision);
    bool fell_back =
        record->applied_revision != 0 && applied && (!applied->assumed || r->seen.current.adopted);
    bool overtaken =
        record->rolling_back != r->instance->record->revision; /* another revision is desired by now */
    /* After a repair that failed, the container runs that was to be replaced: its revision has not failed. */
    bool repair = fell_back && record->rolling_back == record->applied_revision;
    if (fell_back && !repair)
        record->failed_revision = record->rolling_back;
    else if (!fell_back && !overtaken)
        record->attempt++;
    record->rolling_back = 0;
    if (overtaken)
        set_string(&record->failure, NULL);
    r->step = STEP_SETTLED;
    if (!save_or_retry(r)) {
        record->rolling_back = before.rolling_back;
        record->failed_revision = before.failed_revision;
        record->attempt = before.attempt;
        return;
    }
    r->turn_taken = false;
    r->switching_to = 0;
    r->done.quota_set = r->done.provisioned = r->done.restored = false;
    if (!fell_back && !overtaken && replica_want(r) == WANT_RUN) {
        /* No revision is applied: retry with backoff. */
        struct error e = ERROR_INIT;
        error_fail(&e, EIO, "%s", record->failure ?: "the deploy failed");
        r->retry.count.failures = (unsigned)record->attempt - 1;
        replica_retry_later(r, &e);
        r->retry.count.failures = 0;
        instance_kick(r->instance);
        return;
    }
    replica_step_over(r);
    instance_kick(
        r->instance); /* no other replica gets a turn, and those that are down start what they had */
}
