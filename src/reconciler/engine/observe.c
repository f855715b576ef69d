/* Implements observe.h. An event is only a reason to inspect a container. After events were lost, the
 * follower receives a new snapshot of all containers. */
#include "reconciler/engine/observe.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/exits.h"
#include "reconciler/engine/renamed.h"
#include "reconciler/engine/replica.h"
#include "reconciler/model/agent.h"
#include "reconciler/model/store.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/model/wish.h"

/* The age at which m->info is requested again. */
#define INFO_AGE (60 * USEC_PER_SEC)

static void see(struct driver_container *slot, const struct driver_container *seen)
{
    schema_done(&driver_container_schema, slot);
    if (seen)
        schema_copy(&driver_container_schema, seen, slot);
}

static void see_current(struct replica *r, const struct driver_container *seen)
{
    see(&r->seen.current, seen);
    if (seen && r->seen.uptime.looked == 0 && driver_state_is_up((enum driver_state)seen->state))
        r->seen.found_at = replica_monotonic_usec(r);
    if (seen)
        uptime_see(&r->seen.uptime, seen->started_at, replica_now_msec(r), replica_monotonic_usec(r));
    if (seen)
        exits_see(r);
    if (seen)
        agent_seen(r);
}

/* Stores the id of a container of this tree that has a name of the replica, by which it is found later. */
static void note_id(struct replica *r, const struct driver_container *c)
{
    if (c->state != DRIVER_MISSING && c->ours && c->id && record_add_container(r->record, c->id))
        store_save_soon(r->instance);
}

static struct replica *find_replica(struct manager *m, const char *instance, int64_t id)
{
    struct instance *i = instance ? manager_find(m, instance) : NULL;
    return i ? instance_find_replica(i, id) : NULL;
}

static void forget_all(struct manager *m)
{
    for (struct instance *i = m->instances; i; i = i->next)
        for (size_t k = 0; k < i->n_replicas; k++) {
            struct replica *r = i->replicas[k];
            see(&r->seen.current, NULL);
            see(&r->seen.old, NULL);
            see(&r->seen.renamed, NULL);
            r->seen.observed = true;
            /* A call in progress can change the container: inspect again when it has ended. */
            r->seen.stale = r->request != NULL;
            r->seen.updates_due = 0;
        }
}

void manager_set_info(struct manager *m, const struct driver_info_out *info)
{
    bool other_cpus = !m->info || m->info->cpus != info->cpus;
    if (!m->info)
        m->info = xcalloc(1, sizeof *m->info);
    schema_done(&driver_info_schema, m->info);
    schema_copy(&driver_info_schema, info, m->info);
    for (struct instance *i = m->instances; other_cpus && i; i = i->next)
        instance_kick(i); /* rules/limits.c */
}

static void on_info(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct manager *m = userdata;
    if (!e)
        manager_set_info(m, out);
}

static void ask_info(struct manager *m)
{
    m->info_asked = outside_monotonic_usec(m->outside);
    manager_call(m, m->driver_socket, &container_driver_interface, "Info", NULL, false, CALL_TIMEOUT, on_info,
                 m);
}

void observe_runtime(struct manager *m)
{
    if (m->subscribed && outside_monotonic_usec(m->outside) - m->info_asked > INFO_AGE)
        ask_info(m);
}

static void on_event(struct manager *m, const struct driver_event *event)
{
    static const char *const telling[] = {"die", "destroy", "start",   "rename",
                                          "oom", "pause",   "unpause", "update"};
    struct replica *r = find_replica(m, event->instance, event->replica_id);
    bool tells = false;
    for (size_t i = 0; i < ARRAY_SIZE(telling); i++)
        tells |= streq(event->action, telling[i]);
    if (!r || !tells)
        return;
    if (!m->subscribed) { /* the container in the snapshot may be older than the event */
        r->seen.stale = true;
        return;
    }
    if (streq(event->action, "update") && r->seen.updates_due > 0) {
        r->seen.updates_due--;
        return;
    }
    /* Another container can carry the same labels. */
    bool current =
        event->slot == DRIVER_SLOT_CURRENT && (!event->id || streq_null(event->id, r->seen.current.id));
    if (streq(event->action, "oom") && current)
        exits_note_oom(r);
    if (streq(event->action, "die") && current)
        agent_ended(r);
    bool committed =
        r->record->applied_revision != 0 && r->seen.current.revision == r->record->applied_revision;
    if (streq(event->action, "die") && current && committed && r->step != STEP_STOP &&
        replica_want(r) == WANT_RUN && !r->record->rolling_back &&
        r->seen.current.restart == DRIVER_RESTART_ALWAYS)
        exits_note(r, event->exit_code);
    /* A removal that is to be tried again has happened. */
    bool removing = r->last == STEP_REMOVE_DEAD || r->last == STEP_REMOVE_NEW || r->last == STEP_REMOVE_OLD;
    if (streq(event->action, "destroy") && removing && !r->request)
        replica_forget_pause(r);
    r->seen.stale = true;
    replica_kick(r);
}

static void on_container(struct manager *m, const struct driver_container *c)
{
    struct replica *r = find_replica(m, c->instance, c->replica_id);
    if (r)
        note_id(r, c);
    if (r && c->slot == DRIVER_SLOT_OLD)
        see(&r->seen.old, c);
    else if (r)
        see_current(r, c);
    else if (c->ours && unreadable_find(m, c->instance))
        unreadable_saw(m, c);
    else if (c->ours)
        log_warning("container '%s' belongs to this tree and to none of its instances; it is left unchanged",
                    c->name);
}

static void on_reset(void *userdata)
{
    struct manager *m = userdata;
    ask_info(m);
    m->subscribed = false;
    forget_all(m);
    for (struct unreadable *u = m->unreadable; u; u = u->next)
        u->n_ports = 0;
}

static void on_item(const void *out, void *userdata)
{
    const struct driver_watch_out *told = out;
    if (told->container)
        on_container(userdata, told->container);
    if (told->event)
        on_event(userdata, told->event);
}

static void on_complete(const void *out, void *userdata)
{
    (void)out;
    struct manager *m = userdata;
    m->subscribed = true;
    set_string(&m->runtime_failure, NULL);
    for (struct instance *i = m->instances, *next; i; i = next) {
        next = i->next;
        for (size_t k = 0; k < i->n_replicas; k++)
            i->replicas[k]->seen.stale |= renamed_or_removed(i->replicas[k]) != NULL;
        instance_kick(i);
    }
}

static void on_lost(const struct error *e, bool quickly, void *userdata)
{
    struct manager *m = userdata;
    m->subscribed = false;
    if (quickly) /* the driver restarts within milliseconds */
        return;
    if (!streq_null(m->runtime_failure, e->message))
        log_warning("the container runtime is not reachable: %s", e->message);
    set_string(&m->runtime_failure, e->message);
    for (struct instance *i = m->instances; i; i = i->next)
        instance_changed(i);
}

void observe_start(struct manager *m)
{
    static const struct follower_handlers handlers = {on_reset, on_item, on_complete, on_lost};
    m->runtime = manager_follow(m, m->driver_socket, &container_driver_interface, &handlers);
}

void observe_stop(struct manager *m)
{
    follower_free(m->runtime);
}

static void inspect(struct replica *r, enum driver_slot slot, const char *id, varlink_answer_fn answer)
{
    struct manager *m = r->instance->manager;
    struct driver_replica_in in = {
        .instance = r->instance->record->name, .replica_id = r->record->id, .slot = slot, .id = (char *)id};
    r->request = manager_call(m, m->driver_socket, &container_driver_interface, "Inspect", &in, false,
                              CALL_TIMEOUT, answer, r);
}

/* Ends an inspection that failed; it is repeated. */
static void inspection_failed(struct replica *r, const struct error *e)
{
    r->seen.stale = true;
    replica_retry_later(r, e);
}

static void inspection_over(struct replica *r)
{
    replica_kick(r);
    /* The replica did not count as settled during the inspection: notify watchers, even if the step stays the
     * same. */
    instance_changed(r->instance);
}

static void look_for_missed(struct replica *r);

static void on_inspected_missed(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct replica *r = userdata;
    r->request = NULL;
    const char *id = renamed_or_removed(r);
    if (e) {
        inspection_failed(r, e);
        return;
    }
    const struct driver_container *c = ((const struct driver_inspect_out *)out)->container;
    see(&r->seen.renamed, c);
    if (!c && id && record_drop_container(r->record, id)) {
        store_save_soon(r->instance);
        look_for_missed(r); /* the next one */
        return;
    }
    inspection_over(r);
}

/* A container that neither name shows was removed, or renamed by another program: its id tells. */
static void look_for_missed(struct replica *r)
{
    const char *id = renamed_or_removed(r);
    if (id)
        inspect(r, DRIVER_SLOT_CURRENT, id, on_inspected_missed);
    else
        inspection_over(r);
}

static void on_inspected_old(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct replica *r = userdata;
    r->request = NULL;
    if (e) {
        inspection_failed(r, e);
        return;
    }
    see(&r->seen.old, ((const struct driver_inspect_out *)out)->container);
    note_id(r, &r->seen.old);
    see(&r->seen.renamed, NULL);
    look_for_missed(r);
}

static void on_inspected(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct replica *r = userdata;
    r->request = NULL;
    if (e) {
        inspection_failed(r, e);
        return;
    }
    see_current(r, ((const struct driver_inspect_out *)out)->container);
    note_id(r, &r->seen.current);
    inspect(r, DRIVER_SLOT_OLD, NULL, on_inspected_old);
}

void observe_replica(struct replica *replica)
{
    replica->seen.stale = false;
    replica->seen.updates_due = 0; /* an update that changed nothing has no event */
    inspect(replica, DRIVER_SLOT_CURRENT, NULL, on_inspected);
}
