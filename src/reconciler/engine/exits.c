/* Implements exits.h. */
#include "reconciler/engine/exits.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/replica.h"
#include "reconciler/model/stages.h"

static int64_t now_msec(const struct replica *replica)
{
    return (int64_t)(replica_monotonic_usec(replica) / USEC_PER_MSEC);
}

bool exits_are_a_loop(const struct replica *replica)
{
    return crash_is_looping(&replica->exits.last, now_msec(replica));
}

void exits_forget(struct replica *replica)
{
    replica->exits.last = (struct crash_exits){.at = {0}};
    timer_stop(&replica->exits.calm);
}

static void on_calm(void *userdata)
{
    struct replica *r = userdata;
    if (!exits_are_a_loop(r)) {
        exits_forget(r);
        set_string(&r->message, NULL);
        stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_SUCCESS, NULL);
        r->seen.stale = true;
        replica_kick(r);
    }
}

/* A call for the last lines. The replica may be removed before the reply, so that it is searched by name. */
struct question {
    struct manager *manager;
    char *instance;
    int64_t replica_id, exit_code;
};

static void on_tail(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct question *q = userdata;
    const struct driver_tail_out *tail = e ? NULL : out;
    struct instance *instance = manager_find(q->manager, q->instance);
    struct replica *r = instance ? instance_find_replica(instance, q->replica_id) : NULL;
    if (r && exits_are_a_loop(r)) {
        free(r->message);
        r->message = crash_message(q->exit_code, tail ? tail->lines : NULL, tail ? tail->n_lines : 0);
        stage_set(r, STAGE_CONTAINER_RUNNING, STAGE_FAILED, r->message);
        replica_set_state(r, REPLICA_CRASH_LOOPING);
        instance_changed(instance);
    }
    free(q->instance);
    free(q);
}

static void ask_last_words(struct replica *replica, int64_t exit_code)
{
    struct manager *m = replica->instance->manager;
    struct question *q = xcalloc(1, sizeof *q);
    *q = (struct question){m, xstrdup(replica->instance->record->name), replica->record->id, exit_code};
    struct driver_logs_in in = {
        .instance = replica->instance->record->name, .replica_id = replica->record->id, .tail = 20};
    manager_call(m, m->driver_socket, &container_driver_interface, "Tail", &in, false, TAIL_TIMEOUT, on_tail,
                 q);
}

static void wait_for_calm(struct replica *replica)
{
    clock_arm(replica->instance->manager->outside->clock, &replica->exits.calm,
              (CRASH_WINDOW_MSEC + 1000) * USEC_PER_MSEC, on_calm, replica);
}

void exits_note(struct replica *replica, int64_t exit_code)
{
    crash_add_exit(&replica->exits.last, now_msec(replica));
    if (!exits_are_a_loop(replica))
        return;
    ask_last_words(replica, exit_code);
    wait_for_calm(replica);
}
