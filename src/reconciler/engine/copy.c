/* Implements copy.h as a chain of calls: for a destroy, the directory is made and its limit lifted; the
 * provisioner makes empty directories beside the volumes, container-driver fills them, and the provisioner
 * makes them the volumes. A crash before the last call leaves them under names that no container uses, and
 * the next attempt begins anew. */
#include "reconciler/engine/copy.h"

#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/api/quota_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "reconciler/engine/call.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"
#include "reconciler/rules/anonymous.h"

bool copy_is_missing(const struct replica *r, const struct driver_container *c)
{
    bool purge = replica_want(r) == WANT_GONE && r->instance->record->purge;
    return !purge && c->ours && anonymous_unsaved(c, r->record->copied);
}

/* A container that the runtime failed to remove may have lost a part of its volumes already. */
bool copy_is_due(const struct replica *r, const struct driver_container *c)
{
    return !driver_state_is_lost((enum driver_state)c->state) && copy_is_missing(r, c);
}

void copy_forget(struct replica *r, const struct driver_container *c)
{
    _cleanup_free_ char *run = anonymous_run(c);
    if (streq_null(run, r->record->copied))
        set_string(&r->record->copied, NULL);
}

void copy_leave_out(const struct replica *r, char **paths, size_t *n)
{
    size_t n_copied, left = 0;
    if (!copy_is_due(r, &r->seen.old))
        return;
    _cleanup_free_ char **copied = anonymous_paths(&r->seen.old, &n_copied);
    for (size_t i = 0; i < *n; i++) {
        bool is_copied = false;
        for (size_t k = 0; k < n_copied; k++)
            is_copied |= streq(copied[k], paths[i]);
        if (!is_copied)
            paths[left++] = paths[i];
    }
    *n = left;
}

static const struct driver_container *source_of(const struct replica *r)
{
    return r->copying.slot == DRIVER_SLOT_CURRENT ? &r->seen.current : &r->seen.old;
}

/* Calls BeginCopy or EndCopy of the provisioner. */
static void call_provisioner(struct replica *r, const char *method, bool complete,
                             varlink_answer_fn on_answer)
{
    struct manager *m = r->instance->manager;
    _cleanup_free_ char *name = container_name(r);
    struct provisioner_copy_in in = {.container = name, .complete = complete};
    in.volumes = anonymous_paths(source_of(r), &in.n_volumes);
    r->request = manager_call(m, m->provisioner_socket, &provisioner_interface, method, &in, false,
                              CALL_TIMEOUT, on_answer, r);
    free(in.volumes);
}

static void end(struct replica *r, const struct error *e)
{
    r->copying.active = false;
    r->copying.over(r, NULL, e);
}

/* Ends the step with the copy's own error, also if what is there of it could not be removed. */
static void on_dropped(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct replica *r = userdata;
    struct error own = r->copying.error;
    if (e)
        log_warning("%s; the next copy, or the removal of the replica, removes it", e->message);
    end(r, &own);
}

static void on_completed(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    end(userdata, e);
}

static void on_copied(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct replica *r = userdata;
    if (!e) {
        call_provisioner(r, "EndCopy", true, on_completed);
    } else if (error_worker_lost(e)) { /* the copy is repeated at once */
        end(r, e);
    } else {
        r->copying.error = *e;
        call_provisioner(r, "EndCopy", false, on_dropped);
    }
}

/* The copy has no timeout: its duration depends on the data. */
static void on_begun(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct replica *r = userdata;
    struct manager *m = r->instance->manager;
    const struct driver_container *source = source_of(r);
    if (e) {
        end(r, e);
        return;
    }
    struct driver_copy_in in = {
        .instance = r->instance->record->name, .replica_id = r->record->id, .slot = r->copying.slot};
    in.volumes = anonymous_paths(source, &in.n_volumes);
    r->request = manager_call(m, m->driver_socket, &container_driver_interface, "CopyVolumes", &in, false, 0,
                              on_copied, r);
    free(in.volumes);
}

static void on_released(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    if (e)
        end(userdata, e);
    else
        call_provisioner(userdata, "BeginCopy", false, on_begun);
}

/* Lifts the limit of disk space before data is kept: it was not made for what was outside of the directory.
 */
static void on_directory(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct replica *r = userdata;
    struct manager *m = r->instance->manager;
    _cleanup_free_ char *name = container_name(r);
    struct quota_container_in in = {name};
    if (e)
        end(r, e);
    else
        r->request = manager_call(m, m->quota_socket, &quota_keeper_interface, "Release", &in, false,
                                  CALL_TIMEOUT, on_released, r);
}

void copy_begin(struct replica *r, copy_over_fn over)
{
    struct manager *m = r->instance->manager;
    enum want want = replica_want(r);
    bool current = want == WANT_GONE && copy_is_due(r, &r->seen.current);
    r->copying.active = true;
    r->copying.over = over;
    r->copying.slot = current ? DRIVER_SLOT_CURRENT : DRIVER_SLOT_OLD;
    r->copying.want = want;
    r->copying.revision = r->instance->record->revision;
    log_notice("%s/%lld: copies what container '%s' has in anonymous volumes into the replica's directory",
               r->instance->record->name, (long long)r->record->id, source_of(r)->name);
    if (want != WANT_GONE) { /* the directory exists */
        call_provisioner(r, "BeginCopy", false, on_begun);
        return;
    }
    _cleanup_free_ char *name = container_name(r);
    struct provisioner_provision_in in = {.container = name};
    r->request = manager_call(m, m->provisioner_socket, &provisioner_interface, "Provision", &in, false,
                              CALL_TIMEOUT, on_directory, r);
}

void copy_ended(struct replica *r, const void *out)
{
    (void)out;
    free(r->record->copied);
    r->record->copied = anonymous_run(source_of(r));
    store_save_soon(r->instance);
}

static void on_left(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct replica *r = userdata;
    if (e)
        log_warning("%s; the next copy, or the removal of the replica, removes it", e->message);
    r->request = NULL;
    r->step = STEP_SETTLED;
    r->seen.stale = true;
    replica_kick(r);
}

void copy_leave(struct replica *r)
{
    struct outside *outside = r->instance->manager->outside;
    enum want want = replica_want(r);
    bool purge = want == WANT_GONE && r->instance->record->purge;
    bool other = want != r->copying.want || purge ||
                 (want == WANT_RUN && r->instance->record->revision != r->copying.revision);
    if (!r->copying.active || !other)
        return;
    log_notice("%s/%lld: the copy is cancelled, because the desired state has changed",
               r->instance->record->name, (long long)r->record->id);
    r->copying.active = false;
    outside->cancel(outside, r->request);
    call_provisioner(r, "EndCopy", false, on_left);
}
