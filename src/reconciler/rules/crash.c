/* Exits in a row: three that nobody asked for within a minute are a crash loop, said as such, with the exit
 * code and what the application wrote last; a minute without one ends it. */
#include "reconciler/rules/crash.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/replica.h"
#include "reconciler/face/report.h"
#include "reconciler/model/stages.h"

#define WINDOW_MSEC 60000

bool crash_looping(const struct replica *replica)
{
    return replica->exits[0] != 0 && now_realtime_msec() - replica->exits[2] < WINDOW_MSEC;
}

void crash_forget(struct replica *replica)
{
    memset(replica->exits, 0, sizeof replica->exits);
    replica->crash_timer = sd_event_source_disable_unref(replica->crash_timer);
}

static int on_calm(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    struct replica *r = userdata;
    if (!crash_looping(r)) {
        crash_forget(r);
        set_string(&r->message, NULL);
        stage_set(r, "container_running", "success", NULL);
        r->stale = true;
        replica_kick(r);
    }
    return 0;
}

struct question { /* the replica may be gone when the answer comes: it is looked up again */
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
    if (r && crash_looping(r)) {
        free(r->message);
        r->message = xasprintf("exits again and again, last with code %lld", (long long)q->exit_code);
        for (size_t i = 0; tail && i < tail->n_lines; i++) {
            char *longer = xasprintf("%s%s%s", r->message, i ? "\n" : ":\n", tail->lines[i]);
            free(r->message);
            r->message = longer;
        }
        stage_set(r, "container_running", "failed", r->message);
        replica_set_state(r, REPLICA_CRASH_LOOPING);
        instance_changed(instance);
    }
    free(q->instance);
    free(q);
}

void crash_note_exit(struct replica *replica, int64_t exit_code)
{
    struct manager *m = replica->instance->manager;
    replica->exits[0] = replica->exits[1];
    replica->exits[1] = replica->exits[2];
    replica->exits[2] = now_realtime_msec();
    if (replica->exits[2] - replica->exits[0] >= WINDOW_MSEC)
        replica->exits[0] = 0;
    if (!crash_looping(replica))
        return;
    struct question *q = xcalloc(1, sizeof *q);
    *q = (struct question){m, xstrdup(replica->instance->record->name), replica->record->id, exit_code};
    struct driver_logs_in in = {
        .instance = replica->instance->record->name, .replica_id = replica->record->id, .tail = 20};
    manager_call(m, m->driver_socket, &container_driver_interface, "Tail", &in, false, 10 * USEC_PER_SEC,
                 on_tail, q);
    uint64_t calm = (WINDOW_MSEC + 1000) * USEC_PER_MSEC;
    if (replica->crash_timer) {
        sd_event_source_set_time_relative(replica->crash_timer, calm);
        sd_event_source_set_enabled(replica->crash_timer, SD_EVENT_ONESHOT);
    } else if (sd_event_add_time_relative(m->event, &replica->crash_timer, CLOCK_MONOTONIC, calm,
                                          USEC_PER_SEC, on_calm, replica) < 0)
        abort();
}
