/* Implements steps.h. */
#include "reconciler/engine/steps.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/copy.h"
#include "reconciler/engine/data.h"
#include "reconciler/engine/files.h"
#include "reconciler/engine/journal.h"
#include "reconciler/engine/limits.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/engine/quota.h"
#include "reconciler/engine/renamed.h"
#include "reconciler/engine/replica.h"
#include "reconciler/engine/waits.h"
#include "reconciler/model/agent.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

#define SWITCH_ATTEMPTS_MAX 5 /* failures of one step with "retry later" before the switch is rolled back */

/* --- the calls to container-driver --- */

static void call_driver(struct replica *r, const char *method, const void *in, uint64_t timeout)
{
    step_call(r, r->instance->manager->driver_socket, &container_driver_interface, method, in, timeout);
}

static void set_restart(struct replica *r, enum driver_restart policy)
{
    struct driver_restart_in in = {r->instance->record->name, r->record->id, DRIVER_SLOT_CURRENT, policy};
    r->seen.updates_due++;
    call_driver(r, "SetRestart", &in, CALL_TIMEOUT);
}

static void begin_hold(struct replica *r)
{
    set_restart(r, DRIVER_RESTART_NO);
}

static void effect_hold(struct replica *r, const void *out)
{
    (void)out;
    r->seen.current.restart = DRIVER_RESTART_NO;
}

static void begin_keep(struct replica *r)
{
    set_restart(r, DRIVER_RESTART_ALWAYS);
}

static void effect_keep(struct replica *r, const void *out)
{
    (void)out;
    r->seen.current.restart = DRIVER_RESTART_ALWAYS;
}

static void begin_stop(struct replica *r)
{
    struct driver_stop_in in = {.instance = r->instance->record->name,
                                .replica_id = r->record->id,
                                .slot = DRIVER_SLOT_CURRENT,
                                .timeout_msec = stop_timeout_msec(r)};
    if (replica_want(r) == WANT_STOP)
        stage_set(r, STAGE_CONTAINER_STOP, STAGE_RUNNING, NULL);
    call_driver(r, "Stop", &in, CALL_TIMEOUT + (uint64_t)in.timeout_msec * USEC_PER_MSEC);
}

static void effect_stop(struct replica *r, const void *out)
{
    (void)out;
    r->seen.current.state = DRIVER_EXITED;
    agent_ended(r);
}

static void rename_slot(struct replica *r, enum driver_slot from, enum driver_slot to)
{
    struct driver_rename_in in = {
        .instance = r->instance->record->name, .replica_id = r->record->id, .from = from, .to = to};
    call_driver(r, "Rename", &in, CALL_TIMEOUT);
}

/* Stores a recreation for drift, if the current container is about to be replaced for that. */
static void note_drift(struct replica *r)
{
    const struct record_revision *target = target_of(r);
    if (!target)
        return;
    struct driver_create_in *create = make_create(r, target);
    struct drift_wish wish = drift_wish_of(r, target, create);
    drift_note_replacement(&r->drift, &r->seen.current, &wish, replica_monotonic_usec(r));
    free_create(create);
}

static void begin_put_aside(struct replica *r)
{
    note_drift(r);
    rename_slot(r, DRIVER_SLOT_CURRENT, DRIVER_SLOT_OLD);
}

static void effect_put_aside(struct replica *r, const void *out)
{
    (void)out;
    schema_done(&driver_container_schema, &r->seen.old);
    r->seen.old = r->seen.current;
    r->seen.old.slot = DRIVER_SLOT_OLD;
    r->seen.current = (struct driver_container){.state = DRIVER_MISSING};
    r->done.quota_set = r->done.provisioned = r->drift.seen = false;
}

static void begin_bring_back(struct replica *r)
{
    rename_slot(r, DRIVER_SLOT_OLD, DRIVER_SLOT_CURRENT);
}

static void effect_bring_back(struct replica *r, const void *out)
{
    (void)out;
    schema_done(&driver_container_schema, &r->seen.current);
    r->seen.current = r->seen.old;
    r->seen.current.slot = DRIVER_SLOT_CURRENT;
    r->seen.old = (struct driver_container){.state = DRIVER_MISSING};
}

static struct driver_replica_in slot_of(const struct replica *r, enum driver_slot slot)
{
    return (struct driver_replica_in){
        .instance = r->instance->record->name, .replica_id = r->record->id, .slot = slot};
}

static void remove_slot(struct replica *r, enum driver_slot slot)
{
    const struct driver_container *c = slot == DRIVER_SLOT_OLD ? &r->seen.old : &r->seen.current;
    struct driver_remove_in in = {.instance = r->instance->record->name,
                                  .replica_id = r->record->id,
                                  .slot = slot,
                                  .keep_volumes = copy_is_missing(r, c)};
    if (replica_want(r) == WANT_GONE)
        stage_set(r, STAGE_CONTAINER_DESTROY, STAGE_RUNNING, NULL);
    call_driver(r, "Remove", &in, CALL_TIMEOUT);
}

/* Drops a container that was removed. */
static void removed(struct replica *r, struct driver_container *c)
{
    if (c->id && record_drop_container(r->record, c->id))
        store_save_soon(r->instance);
    schema_done(&driver_container_schema, c);
}

static void begin_remove_old(struct replica *r)
{
    remove_slot(r, DRIVER_SLOT_OLD);
}

static void effect_remove_old(struct replica *r, const void *out)
{
    (void)out;
    /* The switch is complete. If an earlier repair of the same revision failed, this one succeeded. */
    if (r->seen.current.revision == r->record->applied_revision && r->record->failed_revision == 0)
        set_string(&r->record->failure, NULL);
    copy_forget(r, &r->seen.old);
    removed(r, &r->seen.old);
}

static void begin_remove_new(struct replica *r)
{
    remove_slot(r, DRIVER_SLOT_CURRENT);
}

static void effect_remove_new(struct replica *r, const void *out)
{
    (void)out;
    copy_forget(r, &r->seen.current);
    removed(r, &r->seen.current);
}

static void begin_copy(struct replica *r)
{
    copy_begin(r, step_done);
}

static void begin_create(struct replica *r)
{
    struct driver_create_in *in = make_create(r, target_of(r));
    call_driver(r, "Create", in, CALL_TIMEOUT);
    free_create(in);
}

static void begin_start(struct replica *r)
{
    struct driver_replica_in in = slot_of(r, DRIVER_SLOT_CURRENT);
    call_driver(r, "Start", &in, START_TIMEOUT);
}

static void effect_start(struct replica *r, const void *out)
{
    (void)out;
    replica_stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_RUNNING, NULL);
    r->done.provisioned = false;
    r->seen.stale = true;
}

/* Stores the new container's id, by which it is found if another program renames it. */
static void effect_create(struct replica *r, const void *out)
{
    const struct driver_create_out *created = out;
    if (created && created->id && record_add_container(r->record, created->id))
        store_save_soon(r->instance);
    agent_drop(r);
    r->seen.stale = true;
}

/* Has the containers inspected, which shows what the step made. */
static void effect_look(struct replica *r, const void *out)
{
    (void)out;
    r->seen.stale = true;
}

static void begin_limits(struct replica *r)
{
    struct driver_limits_in in = {.instance = r->instance->record->name,
                                  .replica_id = r->record->id,
                                  .slot = DRIVER_SLOT_CURRENT,
                                  .cpu_limit = r->limits.desired.cpu_limit,
                                  .memory_limit = r->limits.desired.memory_limit,
                                  .pids_limit = r->limits.desired.pids_limit};
    limits_log(r);
    call_driver(r, "SetLimits", &in, CALL_TIMEOUT);
}

static void effect_limits(struct replica *r, const void *out)
{
    (void)out;
    limits_were_set(r);
}

static void begin_fail(struct replica *r)
{
    struct driver_logs_in in = {
        .instance = r->instance->record->name, .replica_id = r->record->id, .tail = 20};
    call_driver(r, "Tail", &in, TAIL_TIMEOUT);
}

/* --- the table --- */

enum step_flags {
    WAITS = 1 << 0,        /* makes no call and no write */
    JOURNALS = 1 << 1,     /* ends with a write of the journal, also after a failed call */
    SWITCHES = 1 << 2,     /* takes the replica's turn, if the replica is to run */
    FIRST = 1 << 3,        /* takes the replica's turn, if it has no container */
    SHOWN = 1 << 4,        /* its stage is shown as running, and then as success */
    BRINGS_UP = 1 << 5,    /* a failure ends the switch and begins its rollback */
    NAMES = 1 << 6,        /* a conflict is one of names, which an inspection shows: no rollback begins */
    USES_BITS = 1 << 7,    /* uses image and packages: after a failure they are prepared again */
    BITS_AT_ONCE = 1 << 8, /* packages: at once, since a container that exists starts without PREPARE */
    WRITES = 1 << 9,       /* writes files that count against the limit of disk space */
    LIMITS = 1 << 10,      /* sets that limit, without which the replica may continue */
    RESOURCES = 1 << 11,   /* sets the limits of CPU, memory and processes, in the same way */
    /* A failure is undone also if the revision is applied already: the old container is of that revision. */
    OLD_IS_WHOLE = 1 << 12,
};

#define NO_STAGE _STAGE_MAX
struct step_row {
    const char *name;          /* in the log and in the names of failpoints */
    const char *words;         /* for people, while it is in progress; NULL: not shown */
    enum app_stage_name stage; /* shows its failures; NO_STAGE: none */
    void (*begin)(struct replica *replica);
    /* Updates the replica after success, as an inspection would. 'out' is the reply. */
    void (*effect)(struct replica *replica, const void *out);
    unsigned flags;
    const char *before, *after; /* failpoints; NULL: none */
};

/* clang-format off */
#define GOING_BACK "going back"
#define RENAMING   "naming the container again"
/* Steps that call a worker: they have a failpoint before the call, and one after the reply. */
#define CALLING_STEPS(X) \
    X(HOLD, "hold", "stopping container", NO_STAGE, begin_hold, effect_hold, SWITCHES) \
    X(STOP, "stop", "stopping container", NO_STAGE, begin_stop, effect_stop, SWITCHES) \
    X(PUT_ASIDE, "put_aside", "putting the old container aside", NO_STAGE, begin_put_aside, effect_put_aside, SWITCHES) \
    X(PROVISION, "provision", "provisioning", STAGE_PROVISION, files_provision, files_provisioned, FIRST | SHOWN | BRINGS_UP | WRITES) \
    X(QUOTA, "quota", "setting quota", STAGE_PROVISION, quota_ensure, quota_was_set, FIRST | BRINGS_UP | LIMITS) \
    X(LIMITS, "limits", "setting limits", NO_STAGE, begin_limits, effect_limits, RESOURCES) \
    X(COPY, "copy", "copying volumes", STAGE_PROVISION, begin_copy, copy_ended, BRINGS_UP | OLD_IS_WHOLE) \
    X(CREATE, "create", "creating container", STAGE_CONTAINER_CREATE, begin_create, effect_create, SWITCHES | SHOWN | BRINGS_UP | NAMES | USES_BITS) \
    X(START, "start", "starting container", STAGE_CONTAINER_START, begin_start, effect_start, SHOWN | BRINGS_UP | USES_BITS | BITS_AT_ONCE) \
    X(KEEP, "keep", NULL, NO_STAGE, begin_keep, effect_keep, 0) \
    X(REMOVE_OLD, "remove_old", "removing the old container", NO_STAGE, begin_remove_old, effect_remove_old, 0) \
    X(REMOVE_DEAD, "remove_dead", "removing the dead container", STAGE_CONTAINER_CREATE, begin_remove_new, effect_remove_new, 0) \
    X(REMOVE_NEW, "remove_new", GOING_BACK, NO_STAGE, begin_remove_new, effect_remove_new, 0) \
    X(BRING_BACK, "bring_back", GOING_BACK, NO_STAGE, begin_bring_back, effect_bring_back, 0) \
    X(RESTORE, "restore", GOING_BACK, NO_STAGE, files_restore, files_restored, 0) \
    X(REVIVE, "revive", GOING_BACK, NO_STAGE, begin_start, effect_look, USES_BITS | BITS_AT_ONCE) \
    X(RENAME_BACK, "rename_back", RENAMING, NO_STAGE, renamed_to_current, effect_look, 0) \
    X(RENAME_OLD, "rename_old", RENAMING, NO_STAGE, renamed_to_old, effect_look, 0) \
    X(RENAME_ASIDE, "rename_aside", RENAMING, NO_STAGE, renamed_to_aside, effect_look, 0) \
    X(REMOVE_RENAMED, "remove_renamed", "removing a renamed container", NO_STAGE, renamed_remove, renamed_was_removed, 0) \
    X(UPDATE_FILES, "update_files", NULL, NO_STAGE, files_update, files_updated, WRITES) \
    X(REMOVE_DATA, "remove_data", "putting data aside", NO_STAGE, data_remove, data_removed, 0)
/* Steps that end with a write of the journal, which has its own failpoints (store.*). */
#define JOURNAL_STEPS(X) \
    X(COMMIT, "commit", NULL, NO_STAGE, journal_commit, NULL, JOURNALS) \
    X(FAIL, "fail", GOING_BACK, NO_STAGE, begin_fail, journal_fail, JOURNALS) \
    X(UNDONE, "undone", GOING_BACK, NO_STAGE, journal_undone, NULL, JOURNALS)
#define WAITING_STEPS(X) \
    X(SETTLED, "settled", NULL, NO_STAGE, wait_settled, NULL, WAITS) \
    X(WAIT, "waiting", "waiting for its turn", NO_STAGE, wait_for_others, NULL, WAITS) \
    X(REMOVING, "removing", "waiting until the container is removed", NO_STAGE, wait_for_removal, NULL, WAITS) \
    X(CONFLICT, "conflict", NULL, NO_STAGE, wait_for_name, NULL, WAITS) \
    X(PREPARE, "preparing", "preparing", NO_STAGE, wait_for_preparation, NULL, WAITS) \
    X(AWAIT, "await", "preparing", NO_STAGE, wait_for_desired, NULL, WAITS) \
    X(PROBATION, "probation", "on probation", NO_STAGE, wait_for_probation, NULL, WAITS) \
    X(GONE, "gone", NULL, NO_STAGE, wait_gone, NULL, WAITS)

#define BEFORE(name) "step." name ".before"
#define AFTER(name)  "step." name ".after"
#define CALLING_ROW(step, name, ...) [STEP_##step] = {name, __VA_ARGS__, BEFORE(name), AFTER(name)},
#define JOURNAL_ROW(step, name, ...) [STEP_##step] = {name, __VA_ARGS__, BEFORE(name), NULL},
#define WAITING_ROW(step, name, ...) [STEP_##step] = {name, __VA_ARGS__, NULL, NULL},
#define CALLING_NAMES(step, name, ...) BEFORE(name), AFTER(name),
#define JOURNAL_NAMES(step, name, ...) BEFORE(name),
/* clang-format on */

static const struct step_row rows[] = {CALLING_STEPS(CALLING_ROW) JOURNAL_STEPS(JOURNAL_ROW)
                                           WAITING_STEPS(WAITING_ROW)};
#define ONE(...) +1
static_assert((0 CALLING_STEPS(ONE) JOURNAL_STEPS(ONE) WAITING_STEPS(ONE)) == _STEP_MAX &&
                  ARRAY_SIZE(rows) == _STEP_MAX,
              "every step has a row");

const char *const reconciler_failpoints[] = {
    "store.before_save", "store.saved",
    "prepare.resolved",  "facts.before_save",
    "facts.saved",       "let_go.before",
    "forget.before",     CALLING_STEPS(CALLING_NAMES) JOURNAL_STEPS(JOURNAL_NAMES) NULL};

const char *step_name(enum step step)
{
    return rows[step].name;
}

const char *step_words(enum step step)
{
    return rows[step].words;
}

/* --- a step from its beginning to its end --- */

static void take_turn(struct replica *r, const struct step_row *row)
{
    if (row->flags & SWITCHES)
        r->turn_taken |= replica_want(r) == WANT_RUN;
    if (row->flags & FIRST)
        r->turn_taken |= r->seen.current.state == DRIVER_MISSING;
    if (r->turn_taken && (row->flags & (SWITCHES | FIRST)))
        r->switching_to = replica_target_revision(r);
}

void step_begin(struct replica *r, enum step step)
{
    const struct step_row *row = &rows[step];
    if (!(row->flags & WAITS))
        r->step = step;
    if (row->before && failpoint(row->before) < 0) {
        struct error e = ERROR_INIT;
        error_retry(&e, ECONNRESET, "failpoint");
        replica_retry_later(r, &e);
        return;
    }
    take_turn(r, row);
    if (row->flags & SHOWN)
        replica_stage_set(r, row->stage, STAGE_RUNNING, NULL);
    row->begin(r);
}

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    if (!continues)
        step_done(userdata, out, e);
}

void step_call(struct replica *r, const char *socket, const struct varlink_interface *interface,
               const char *method, const void *in, uint64_t timeout)
{
    r->request =
        manager_call(r->instance->manager, socket, interface, method, in, false, timeout, on_answer, r);
}

static enum app_stage_name stage_of(const struct replica *r, const struct step_row *row)
{
    enum want want = replica_want(r);
    if (want == WANT_GONE)
        return STAGE_CONTAINER_DESTROY;
    if (r->step == STEP_REMOVE_OLD && !replica_only_cleans_up(r)) /* a switch needs the name */
        return STAGE_CONTAINER_CREATE;
    return want == WANT_STOP ? STAGE_CONTAINER_STOP : row->stage;
}

/* Has image and packages of the container that could not be created or started prepared again. */
static void prepare_again(struct replica *r, const struct step_row *row)
{
    int64_t revision = r->step == STEP_REVIVE ? r->seen.current.revision : replica_target_revision(r);
    const struct record_revision *target = record_find_revision(r->instance->record, revision);
    prepare_redo(r->instance, revision);
    if ((row->flags & BITS_AT_ONCE) && target && target->n_packages > 0)
        prepare_start(r->instance, revision);
}

static void step_failed(struct replica *r, const struct step_row *row, const struct error *e)
{
    enum app_stage_name stage = stage_of(r, row);
    bool committed = r->record->applied_revision == replica_target_revision(r);
    bool patient = e->class == ERROR_RETRY && r->retry.count.failures < SWITCH_ATTEMPTS_MAX;
    if (row->flags & WRITES)
        quota_write_failed(r);
    if (row->flags & USES_BITS)
        prepare_again(r, row);
    /* If the inspection shows no foreign container, the next conflict is about another name, a volume's. */
    bool whose = (row->flags & NAMES) && e->class == ERROR_CONFLICT && r->retry.count.failures == 0;
    bool undoes = (row->flags & BRINGS_UP) && replica_want(r) != WANT_GONE &&
                  (!committed || (row->flags & OLD_IS_WHOLE));
    if (undoes && !whose && !patient && !r->record->rolling_back) {
        journal_begin_undo(r, e->message, stage);
        return;
    }
    /* Callers that follow a deploy end with a failed stage. While quick or further attempts are left, it is
     * running. */
    if (stage != NO_STAGE && !error_worker_lost(e))
        replica_stage_set(r, stage, patient ? STAGE_RUNNING : STAGE_FAILED, e->message);
    if (replica_only_cleans_up(r) && r->turn_taken) { /* the next replica need not wait */
        r->turn_taken = false;
        r->switching_to = 0;
        instance_kick(r->instance);
    }
    r->step = STEP_SETTLED;
    /* The call may have had an effect: inspect before the next attempt. */
    r->seen.stale = true;
    replica_retry_later(r, e);
}

static void step_succeeded(struct replica *r, const struct step_row *row, const void *out)
{
    if (row->effect)
        row->effect(r, out);
    if (row->flags & SHOWN)
        replica_stage_set(r, row->stage, STAGE_SUCCESS, NULL);
}

void step_done(struct replica *r, const void *out, const struct error *e)
{
    const struct step_row *row = &rows[r->step];
    r->request = NULL;
    if (row->flags & JOURNALS) {
        row->effect(r, e ? NULL : out);
        return;
    }
    if (e && files_make_again(r, e))
        return;
    bool optional = e && (((row->flags & LIMITS) && quota_may_be_missing(r, e)) ||
                          ((row->flags & RESOURCES) && limits_may_wait(r, e)));
    if (e && !optional) {
        data_purge_over(r);
        step_failed(r, row, e);
        return;
    }
    if (!e)
        step_succeeded(r, row, out);
    data_purge_over(r);
    if (row->after && failpoint(row->after) < 0)
        log_notice("failpoint: the reply counts as lost");
    replica_step_over(r);
}
