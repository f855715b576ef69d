/* Implements data.h. */
#include "reconciler/engine/data.h"

#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/api/quota_keeper.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/steps.h"
#include "reconciler/model/secret.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

#define PURGES_MAX 8 /* at once: each call holds a connection until the data is deleted */

/* Adds replicas for the kept data of former replicas of the instance, so that their data is purged with it.
 */
static void purge_others(struct replica *r, char *const *containers, size_t n)
{
    struct record *record = r->instance->record;
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *name = NULL;
        int64_t id;
        if (app_container_name_parse(containers[i], &name, &id) >= 0 && streq(name, record->name) &&
            !record_find_replica(record, id)) {
            struct replica *other = instance_add_replica(r->instance, record_add_replica(record, id));
            other->seen.observed = other->seen.stale = true; /* inspect first */
        }
    }
    store_save_soon(r->instance);
    instance_kick(r->instance);
}

/* Removes the replica's project after a purge; the provisioner's reply means that no data is left. Kept data
 * keeps its project. */
static void on_removed(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct replica *r = userdata;
    const struct provisioner_remove_out *removed = out;
    _cleanup_free_ char *name = container_name(r);
    struct quota_container_in in = {name};
    if (!e && r->purging && !record_is_zone(r->instance->record) && removed->n_others > 0)
        purge_others(r, removed->others, removed->n_others);
    if (e || removed->kept)
        step_done(r, out, e);
    else
        step_call(r, r->instance->manager->quota_socket, &quota_keeper_interface, "Remove", &in,
                  CALL_TIMEOUT);
}

/* Calls the provisioner. A purge has no timeout, since its duration depends on the number of the tenant's
 * files. */
static void remove_data(struct replica *r)
{
    struct manager *m = r->instance->manager;
    _cleanup_free_ char *name = container_name(r);
    struct provisioner_remove_in in = {.container = name, .purge = r->purging};
    r->request = manager_call(m, m->provisioner_socket, &provisioner_interface, "Remove", &in, false,
                              r->purging ? 0 : CALL_TIMEOUT, on_removed, r);
}

static void on_released(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct replica *r = userdata;
    if (e)
        step_done(r, NULL, e);
    else
        remove_data(r);
}

bool data_may_be_removed(const struct replica *r)
{
    return !r->instance->record->purge || r->instance->manager->purges < PURGES_MAX;
}

/* Continues when the runtime has no volume of the replica any more. */
static void on_volumes_removed(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct replica *r = userdata;
    struct manager *m = r->instance->manager;
    _cleanup_free_ char *name = container_name(r);
    struct quota_container_in in = {name};
    if (e)
        step_done(r, NULL, e);
    else if (r->purging)
        remove_data(r);
    else
        r->request = manager_call(m, m->quota_socket, &quota_keeper_interface, "Release", &in, false,
                                  CALL_TIMEOUT, on_released, r);
}

/* The runtime's volumes are removed first, because they name the directory. The limits of kept data are
 * lifted before it is kept. The limits of purged data are removed last, so that files which cannot be deleted
 * stay within them. */
void data_remove(struct replica *r)
{
    struct manager *m = r->instance->manager;
    struct driver_volumes_in in = {r->instance->record->name, r->record->id};
    r->purging = r->instance->record->purge;
    m->purges += r->purging;
    stage_set(r, STAGE_CONTAINER_DESTROY, STAGE_RUNNING, NULL);
    r->request = manager_call(m, m->driver_socket, &container_driver_interface, "RemoveVolumes", &in, false,
                              CALL_TIMEOUT, on_volumes_removed, r);
}

void data_purge_over(struct replica *r)
{
    struct manager *m = r->instance->manager;
    if (!r->purging)
        return;
    r->purging = false;
    m->purges--;
    for (struct instance *i = m->instances; i; i = i->next)
        for (size_t k = 0; k < i->n_replicas; k++)
            if (i->replicas[k]->last == STEP_WAIT && replica_want(i->replicas[k]) == WANT_GONE)
                instance_kick(i);
}

void data_leave_purge(struct replica *r)
{
    if (!r->purging || replica_want(r) == WANT_GONE)
        return;
    struct outside *outside = r->instance->manager->outside;
    outside->cancel(outside, r->request);
    r->request = NULL;
    r->step = STEP_SETTLED;
    r->seen.stale = true;
    data_purge_over(r);
}

void data_removed(struct replica *r, const void *out)
{
    (void)out;
    /* A purge may have been requested while the data was being kept: the step is then repeated. */
    r->done.data_removed = r->purging || !r->instance->record->purge;
    if (r->purging)
        secret_forget(r);
}
