/* Carrying out a step: one call to one worker, or one write of the journal; then what it changed is known,
 * and decide() is asked again. */
#include "reconciler/engine/steps.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/files.h"
#include "reconciler/engine/journal.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/quota.h"
#include "reconciler/engine/replica.h"
#include "reconciler/model/secret.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

#define SWITCH_ATTEMPTS_MAX 5 /* of one step while nothing runs, before the switch is given up */

/* clang-format off */
#define CALLING_STEPS(X) \
    X(HOLD, "hold") X(STOP, "stop") X(PUT_ASIDE, "put_aside") \
    X(PROVISION, "provision") X(QUOTA, "quota") X(CREATE, "create") \
    X(START, "start") X(KEEP, "keep") X(REMOVE_OLD, "remove_old") \
    X(REMOVE_NEW, "remove_new") X(BRING_BACK, "bring_back") X(RESTORE, "restore") \
    X(REVIVE, "revive") X(UPDATE_FILES, "update_files") X(REMOVE_DATA, "remove_data")
/* These end with a write of the journal, which has failpoints of its own. */
#define JOURNAL_STEPS(X) \
    X(COMMIT, "commit") X(FAIL, "fail") X(UNDONE, "undone")
/* clang-format on */

#define BEFORE(step, name)      [STEP_##step] = "step." name ".before",
#define AFTER(step, name)       [STEP_##step] = "step." name ".after",
#define BOTH_NAMES(step, name)  "step." name ".before", "step." name ".after",
#define BEFORE_NAME(step, name) "step." name ".before",
#ifdef ENABLE_FAILPOINTS
static const char *const before_names[_STEP_MAX] = {CALLING_STEPS(BEFORE) JOURNAL_STEPS(BEFORE)};
static const char *const after_names[_STEP_MAX] = {CALLING_STEPS(AFTER)};
#else
static const char *const before_names[_STEP_MAX];
static const char *const after_names[_STEP_MAX];
#endif
const char *const reconciler_failpoints[] = {
    "store.before_save", "store.saved",
    "prepare.resolved",  "facts.before_save",
    "facts.saved",       "let_go.before",
    "forget.before",     CALLING_STEPS(BOTH_NAMES) JOURNAL_STEPS(BEFORE_NAME) NULL};

void step_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    if (!continues)
        step_request_done(userdata, out, e);
}

static void call_driver(struct replica *r, const char *method, const void *in, uint64_t timeout)
{
    struct manager *m = r->instance->manager;
    r->request = manager_call(m, m->driver_socket, &container_driver_interface, method, in, false, timeout,
                              step_answer, r);
}

static struct driver_replica_in slot_of(const struct replica *r, enum driver_slot slot)
{
    return (struct driver_replica_in){r->instance->record->name, r->record->id, slot};
}

/* --- calls --- */

static void set_restart(struct replica *r, enum driver_restart policy)
{
    struct driver_restart_in in = {r->instance->record->name, r->record->id, DRIVER_SLOT_CURRENT, policy};
    r->updates_due++;
    call_driver(r, "SetRestart", &in, CALL_TIMEOUT);
}

static void stop(struct replica *r)
{
    struct driver_stop_in in = {.instance = r->instance->record->name,
                                .replica_id = r->record->id,
                                .slot = DRIVER_SLOT_CURRENT,
                                .timeout_msec = stop_timeout_msec(r)};
    if (replica_want(r) == WANT_STOP)
        stage_set(r, "container_stop", "running", NULL);
    call_driver(r, "Stop", &in, CALL_TIMEOUT + (uint64_t)in.timeout_msec * USEC_PER_MSEC);
}

static void rename_slot(struct replica *r, enum driver_slot from, enum driver_slot to)
{
    struct driver_rename_in in = {r->instance->record->name, r->record->id, from, to};
    call_driver(r, "Rename", &in, CALL_TIMEOUT);
}

static void remove_slot(struct replica *r, enum driver_slot slot)
{
    struct driver_replica_in in = slot_of(r, slot);
    if (replica_want(r) == WANT_GONE)
        stage_set(r, "container_destroy", "running", NULL);
    call_driver(r, "Remove", &in, CALL_TIMEOUT);
}

static void provision(struct replica *r, const struct record_revision *revision, const char *method)
{
    struct manager *m = r->instance->manager;
    _cleanup_free_ char *name = container_name(r);
    struct app_replica_instance *file = make_replica_file(r, revision);
    struct provisioner_provision_in in = {
        .container = name, .replica = file, .arch = m->info ? m->info->arch : NULL};
    struct provisioner_update_in update = {.container = name, .replica = file};
    bool whole = streq(method, "Provision");
    if (r->step == STEP_PROVISION)
        stage_set(r, "provision", "running", NULL);
    r->request =
        manager_call(m, m->provisioner_socket, &provisioner_interface, method,
                     whole ? (const void *)&in : (const void *)&update, false, CALL_TIMEOUT, step_answer, r);
    schema_free(&app_replica_instance_schema, file);
}

static void create(struct replica *r)
{
    const struct record_revision *target = target_of(r);
    struct driver_create_in *in = make_create(r, target);
    stage_set(r, "container_create", "running", NULL);
    call_driver(r, "Create", in, CALL_TIMEOUT);
    free_create(in);
}

static void start(struct replica *r)
{
    struct driver_replica_in in = slot_of(r, DRIVER_SLOT_CURRENT);
    if (r->step == STEP_START)
        stage_set(r, "container_start", "running", NULL);
    call_driver(r, "Start", &in, 2 * CALL_TIMEOUT);
}

static void ask_last_words(struct replica *r)
{
    struct driver_logs_in in = {
        .instance = r->instance->record->name, .replica_id = r->record->id, .tail = 20};
    call_driver(r, "Tail", &in, 10 * USEC_PER_SEC);
}

/* --- steps --- */

void step_start(struct replica *r, enum step step)
{
    struct driver_container *c = &r->current;
    r->step = step;
    if (before_names[step] && failpoint(before_names[step]) < 0) {
        struct error e = ERROR_INIT;
        error_retry(&e, ECONNRESET, "failpoint");
        replica_retry_later(r, &e);
        return;
    }
    switch (step) {
    case STEP_HOLD:
        r->turn_taken |= replica_want(r) == WANT_RUN;
        set_restart(r, DRIVER_RESTART_NO);
        break;
    case STEP_STOP:
        r->turn_taken |= replica_want(r) == WANT_RUN;
        stop(r);
        break;
    case STEP_PUT_ASIDE:
        r->turn_taken = true;
        replica_note_drift(r);
        rename_slot(r, DRIVER_SLOT_CURRENT, DRIVER_SLOT_OLD);
        break;
    case STEP_QUOTA:
        r->turn_taken |= c->state == DRIVER_MISSING;
        quota_ensure(r);
        break;
    case STEP_PROVISION:
        r->turn_taken |= c->state == DRIVER_MISSING;
        provision(r, target_of(r), "Provision");
        break;
    case STEP_RESTORE: {
        const struct record_revision *applied =
            record_find_revision(r->instance->record, r->record->applied_revision);
        provision(r, applied ?: target_of(r), "Provision");
        break;
    }
    case STEP_UPDATE_FILES:
        provision(r, target_of(r), "Update");
        break;
    case STEP_CREATE:
        r->turn_taken = true;
        create(r);
        break;
    case STEP_START:
    case STEP_REVIVE:
        start(r);
        break;
    case STEP_KEEP:
        set_restart(r, DRIVER_RESTART_ALWAYS);
        break;
    case STEP_REMOVE_OLD:
        remove_slot(r, DRIVER_SLOT_OLD);
        break;
    case STEP_REMOVE_NEW:
        remove_slot(r, DRIVER_SLOT_CURRENT);
        break;
    case STEP_BRING_BACK:
        rename_slot(r, DRIVER_SLOT_OLD, DRIVER_SLOT_CURRENT);
        break;
    case STEP_REMOVE_DATA:
        quota_remove_data(r);
        break;
    case STEP_FAIL:
        ask_last_words(r);
        break;
    case STEP_COMMIT:
        journal_commit(r);
        break;
    case STEP_UNDONE:
        journal_undone(r);
        break;
    default:
        abort();
    }
}

/* What a step that succeeded changed, as an inspection would show it. */
static void apply_effect(struct replica *r, const void *out)
{
    struct driver_container *c = &r->current;
    switch (r->step) {
    case STEP_HOLD:
        c->restart = DRIVER_RESTART_NO;
        break;
    case STEP_KEEP:
        c->restart = DRIVER_RESTART_ALWAYS;
        break;
    case STEP_STOP:
        c->state = DRIVER_EXITED;
        break;
    case STEP_PUT_ASIDE:
        schema_done(&driver_container_schema, &r->old);
        r->old = *c;
        r->old.slot = DRIVER_SLOT_OLD;
        *c = (struct driver_container){.state = DRIVER_MISSING};
        r->quota_set = r->provisioned = r->drift.seen = false;
        break;
    case STEP_BRING_BACK:
        schema_done(&driver_container_schema, c);
        *c = r->old;
        c->slot = DRIVER_SLOT_CURRENT;
        r->old = (struct driver_container){.state = DRIVER_MISSING};
        break;
    case STEP_REMOVE_OLD:
        schema_done(&driver_container_schema, &r->old);
        break;
    case STEP_REMOVE_NEW:
        schema_done(&driver_container_schema, c);
        break;
    case STEP_QUOTA:
        quota_was_set(r, out);
        break;
    case STEP_PROVISION:
        r->provisioned = true;
        r->record->update_files = false;
        stage_set(r, "provision", "success", NULL);
        break;
    case STEP_RESTORE:
        r->restored = true;
        break;
    case STEP_UPDATE_FILES:
        r->record->update_files = false;
        store_save_soon(r->instance);
        break;
    case STEP_CREATE:
        stage_set(r, "container_create", "success", NULL);
        r->stale = true;
        break;
    case STEP_START:
        stage_set(r, "container_start", "success", NULL);
        r->provisioned = false;
        r->stale = true;
        break;
    case STEP_REVIVE:
        r->stale = true;
        break;
    case STEP_REMOVE_DATA:
        /* The order may have become a purge while the data was being kept. */
        r->data_removed = r->purging || !r->instance->record->purge;
        if (r->purging)
            secret_forget(r);
        break;
    default:
        break;
    }
}

static const char *stage_of(const struct replica *r, enum step step)
{
    enum want want = replica_want(r);
    if (want == WANT_GONE)
        return "container_destroy";
    if (want == WANT_STOP)
        return "container_stop";
    switch (step) {
    case STEP_QUOTA:
    case STEP_PROVISION:
        return "provision";
    case STEP_CREATE:
        return "container_create";
    case STEP_START:
        return "container_start";
    default:
        return NULL;
    }
}

/* What was prepared may be gone. A container that is there is started without a look at that, so for one it
 * is done at once. */
static void prepare_again(struct replica *r, enum step step)
{
    int64_t revision = replica_target_revision(r);
    const struct record_revision *target = record_find_revision(r->instance->record, revision);
    prepare_redo(r->instance, revision);
    if (step == STEP_START && target && target->n_packages > 0)
        prepare_start(r->instance, revision);
}

static void step_failed(struct replica *r, const struct error *e)
{
    enum step step = r->step;
    const char *stage = stage_of(r, step);
    bool committed = r->record->applied_revision == replica_target_revision(r);
    bool bringing_up =
        step == STEP_QUOTA || step == STEP_PROVISION || step == STEP_CREATE || step == STEP_START;
    bool patient = e->class == ERROR_RETRY && r->attempt < SWITCH_ATTEMPTS_MAX;
    if (step == STEP_PROVISION || step == STEP_UPDATE_FILES)
        quota_write_failed(r);
    if (step == STEP_CREATE || step == STEP_START)
        prepare_again(r, step);
    if (step == STEP_CREATE && e->class == ERROR_CONFLICT)
        r->stale = true; /* an inspection shows whose it is */
    else if (bringing_up && !committed && !patient && !r->record->rolling_back) {
        journal_begin_undo(r, e->message, stage);
        return;
    }
    /* A failed stage ends the patience of who watches the deploy: what may yet work is not failed. */
    if (stage && !error_worker_lost(e))
        stage_set(r, stage, patient ? "running" : "failed", e->message);
    r->step = STEP_SETTLED;
    /* Not knowing how far it came, look before the next try. */
    r->stale = true;
    replica_retry_later(r, e);
}

void step_finish(struct replica *r)
{
    r->step = STEP_SETTLED;
    r->attempt = r->quick = 0;
    replica_kick(r);
}

void step_request_done(struct replica *r, const void *out, const struct error *e)
{
    r->request = NULL;
    if (r->step == STEP_FAIL) {
        journal_fail(r, e ? NULL : out);
        return;
    }
    if (e && !(r->step == STEP_QUOTA && quota_may_be_missing(r, e))) {
        quota_purge_over(r);
        step_failed(r, e);
        return;
    }
    if (!e)
        apply_effect(r, out);
    quota_purge_over(r);
    if (after_names[r->step] && failpoint(after_names[r->step]) < 0)
        log_notice("failpoint: the answer is taken as lost");
    step_finish(r);
}
