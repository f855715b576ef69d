/* Implements exits.h. */
#include "reconciler/engine/exits.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/replica.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/exit_reason.h"

/* The runtime sends the event of a kill for lack of memory before that of the exit, or shortly after it. An
 * application can need some time to exit after one of its processes was killed. */
#define OOM_BEFORE (5 * USEC_PER_SEC)
#define OOM_AFTER  (1 * USEC_PER_SEC)

/* The clock of crash loops: it stands while the container does not run, since the runtime makes a pause of up
 * to a minute after an exit. */
static int64_t now_msec(const struct replica *replica)
{
    uint64_t now = replica->exits.idle_since ?: replica_monotonic_usec(replica);
    return (int64_t)((now - replica->exits.idle) / USEC_PER_MSEC);
}

bool exits_are_a_loop(const struct replica *replica)
{
    return crash_is_looping(&replica->exits.last, now_msec(replica));
}

static void forget(struct replica *replica)
{
    replica->exits.last = (struct crash_exits){.at = {0}};
    timer_stop(&replica->exits.calm);
}

void exits_forget_before(struct replica *r)
{
    const struct driver_container *c = &r->seen.current;
    int64_t desired = replica_keeps_applied(r) ? r->record->applied_revision : r->instance->record->revision;
    bool stays = replica_want(r) == WANT_RUN && driver_state_is_up((enum driver_state)c->state) &&
                 c->revision == desired;
    if (stays && exits_are_a_loop(r))
        return;
    forget(r);
    if (!r->record->failure)
        set_string(&r->message, NULL);
}

static void wait_for_calm(struct replica *replica);

static void on_calm(void *userdata)
{
    struct replica *r = userdata;
    if (exits_are_a_loop(r)) {
        wait_for_calm(r);
        return;
    }
    forget(r);
    set_string(&r->message, NULL);
    replica_stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_SUCCESS, NULL);
    r->seen.stale = true;
    replica_kick(r);
}

static void wait_for_calm(struct replica *replica)
{
    clock_arm(replica->instance->manager->outside->clock, &replica->exits.calm,
              (CRASH_WINDOW_MSEC + 1000) * USEC_PER_MSEC, on_calm, replica);
}

/* A call for the last lines. The replica may be removed before the reply, so that it is searched by name. */
struct question {
    struct manager *manager;
    char *instance;
    int64_t replica_id;
};

static void on_tail(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct question *q = userdata;
    const struct driver_tail_out *tail = e ? NULL : out;
    struct instance *instance = manager_find(q->manager, q->instance);
    struct replica *r = instance ? instance_find_replica(instance, q->replica_id) : NULL;
    if (r && exits_are_a_loop(r)) {
        _cleanup_free_ char *reason = exits_reason(r);
        free(r->message);
        r->message = crash_message(reason ?: "the container was replaced", tail ? tail->lines : NULL,
                                   tail ? tail->n_lines : 0);
        replica_stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_FAILED, r->message);
        replica_set_state(r, REPLICA_CRASH_LOOPING);
        instance_changed(instance);
    }
    free(q->instance);
    free(q);
}

static void ask_last_words(struct replica *replica)
{
    struct manager *m = replica->instance->manager;
    struct question *q = xcalloc(1, sizeof *q);
    *q = (struct question){m, xstrdup(replica->instance->record->name), replica->record->id};
    struct driver_logs_in in = {
        .instance = replica->instance->record->name, .replica_id = replica->record->id, .tail = 20};
    manager_call(m, m->driver_socket, &container_driver_interface, "Tail", &in, false, TAIL_TIMEOUT, on_tail,
                 q);
}

char *exits_reason(const struct replica *r)
{
    if (!r->exits.container || !streq_null(r->exits.container, r->seen.current.id))
        return NULL;
    bool oom = r->exits.oom_at != 0 && r->exits.oom_at + OOM_BEFORE >= r->exits.at &&
               r->exits.oom_at <= r->exits.at + OOM_AFTER;
    return exit_reason(
        &(struct exit_facts){.code = r->exits.code, .oom = oom, .memory_limit = r->exits.memory_limit});
}

void exits_see(struct replica *replica)
{
    bool runs = driver_state_has_processes((enum driver_state)replica->seen.current.state);
    uint64_t now = replica_monotonic_usec(replica);
    if (!runs && replica->exits.idle_since == 0)
        replica->exits.idle_since = now;
    if (!runs || replica->exits.idle_since == 0)
        return;
    replica->exits.idle += now - replica->exits.idle_since;
    replica->exits.idle_since = 0;
    if (exits_are_a_loop(replica))
        wait_for_calm(replica);
}

void exits_note_oom(struct replica *replica)
{
    replica->exits.oom_at = replica_monotonic_usec(replica);
    replica->exits.n_oom++;
    instance_changed(replica->instance);
}

void exits_note(struct replica *replica, int64_t exit_code)
{
    set_string(&replica->exits.container, replica->seen.current.id);
    replica->exits.code = exit_code;
    replica->exits.memory_limit = replica->seen.current.memory_limit;
    replica->exits.at = replica_monotonic_usec(replica);
    replica->exits.n++;
    instance_changed(replica->instance);
    crash_add_exit(&replica->exits.last, now_msec(replica));
    if (!exits_are_a_loop(replica))
        return;
    ask_last_words(replica);
    wait_for_calm(replica);
}
