/* Implements prepare.h as a chain of calls, one after the other. prepare_next() makes the next one, by what
 * is missing: the zone's network is checked (prepare_network.c), packages are resolved (once for a revision),
 * the image is inspected or pulled, and every package is fetched, unpacked and published. */
#include "reconciler/engine/prepare.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/api/fetcher.h"
#include "lib/api/provisioner.h"
#include "lib/api/unpacker.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/prepare_network.h"
#include "reconciler/engine/release.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

/* How long a replica that is down waits for the preparation of its next revision before it starts the applied
 * one, so that a quick preparation causes no start for a moment. */
#define PATIENCE (5 * USEC_PER_SEC)
/* Before a package is looked at again whose removal is in progress. */
#define REMOVAL_PAUSE (20 * USEC_PER_MSEC)

static struct record_revision *revision_of(const struct prepare *p)
{
    return record_find_revision(p->instance->record, p->revision);
}

static void set_state(struct prepare *p, enum prepare_state state)
{
    static const char *const names[] = {[PREPARE_NONE] = "none",
                                        [PREPARE_RUNNING] = "running",
                                        [PREPARE_DONE] = "done",
                                        [PREPARE_WAITING] = "waiting"};
    if (p->state == state)
        return;
    log_debug("instance %s, revision %lld: preparation %s -> %s", p->instance->record->name,
              (long long)p->revision, names[p->state], names[state]);
    p->state = state;
}

/* Sets a stage of the desired revision; the stages of a replica are those of the last order. */
static void set_stage(const struct prepare *p, enum app_stage_name name, enum app_stage_state state,
                      const char *message)
{
    if (p->revision == p->instance->record->revision)
        instance_stage_set(p->instance, name, state, message);
}

bool prepare_is_done(struct instance *instance, int64_t revision)
{
    const struct prepare *p = prepare_find(instance, revision);
    return p && p->state == PREPARE_DONE;
}

uint64_t prepare_patience(struct instance *instance, int64_t revision)
{
    const struct prepare *p = prepare_find(instance, revision);
    if (!p || p->state == PREPARE_NONE)
        return PATIENCE;
    uint64_t age = outside_monotonic_usec(instance->manager->outside) - p->began;
    return p->state == PREPARE_DONE || p->failure || age >= PATIENCE ? 0 : PATIENCE - age;
}

void prepare_drop(struct instance *instance, int64_t revision)
{
    for (size_t i = 0; i < instance->n_prepares; i++)
        if (instance->prepares[i]->revision == revision) {
            prepare_free(instance->prepares[i]);
            instance->n_prepares--;
            memmove(&instance->prepares[i], &instance->prepares[i + 1],
                    (instance->n_prepares - i) * sizeof *instance->prepares);
            return;
        }
}

void prepare_cancel(struct instance *instance, int64_t revision)
{
    const struct prepare *p = prepare_find(instance, revision);
    if (p && (p->state == PREPARE_RUNNING || p->state == PREPARE_WAITING))
        log_info("instance %s, revision %lld: the preparation is cancelled: no replica needs it",
                 instance->record->name, (long long)revision);
    for (size_t i = 0; revision == instance->record->revision && i < instance->n_replicas; i++) {
        stage_interrupt(instance->replicas[i], STAGE_IMAGE_PULL);
        stage_interrupt(instance->replicas[i], STAGE_PKG_DOWNLOAD);
    }
    prepare_drop(instance, revision);
    instance_changed(instance);
}

static void on_retry(void *userdata)
{
    prepare_next(userdata);
}

void prepare_failed(struct prepare *p, enum app_stage_name stage, const struct error *e)
{
    struct manager *m = p->instance->manager;
    uint64_t pause = 0;
    bool quick = error_worker_lost(e) && retry_quickly(&p->retry, &pause);
    p->request = NULL;
    p->package = 0;
    if (!quick) {
        set_string(&p->failure, e->message);
        log_warning("instance %s, revision %lld: %s", p->instance->record->name, (long long)p->revision,
                    e->message);
        set_stage(p, stage, STAGE_FAILED, e->message);
    }
    set_state(p, PREPARE_WAITING);
    /* The quick retries of a preparation wait twice as long as those of a step: 20 ms to 100 ms. */
    pause = quick ? 2 * pause : retry_next(&p->retry, &m->settings.retry);
    p->next_retry = quick ? 0 : outside_monotonic_usec(m->outside) + pause;
    clock_arm(m->outside->clock, &p->timer, pause, on_retry, p);
    instance_changed(p->instance);
    if (!quick)
        instance_kick(p->instance);
}

void prepare_pause(struct prepare *p, uint64_t usec)
{
    p->request = NULL;
    set_state(p, PREPARE_WAITING);
    p->next_retry = 0;
    clock_arm(p->instance->manager->outside->clock, &p->timer, usec, on_retry, p);
    instance_changed(p->instance);
}

static void prepare_done(struct prepare *p)
{
    set_state(p, PREPARE_DONE);
    p->retry = (struct retry){0};
    p->next_retry = 0;
    set_string(&p->failure, NULL);
    instance_changed(p->instance);
    instance_kick(p->instance);
}

static int save(struct prepare *p, enum app_stage_name stage)
{
    struct error e = ERROR_INIT;
    int r = store_save(p->instance, &e);
    if (r >= 0 && failpoint("prepare.resolved") < 0)
        r = error_retry(&e, EIO, "failpoint");
    if (r < 0)
        prepare_failed(p, stage, &e);
    return r;
}

/* --- packages --- */

static void on_published(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct prepare *p = userdata;
    p->request = NULL;
    if (e) {
        prepare_failed(p, STAGE_PKG_DOWNLOAD, e);
        return;
    }
    p->package++;
    prepare_next(p);
}

/* Has the provisioner publish the package: containers use only packages that root owns. */
static void on_unpacked(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out;
    struct prepare *p = userdata;
    struct manager *m = p->instance->manager;
    if (continues)
        return;
    p->request = NULL;
    if (e) {
        prepare_failed(p, STAGE_PKG_DOWNLOAD, e);
        return;
    }
    const struct package_reference *package = revision_of(p)->packages[p->package];
    struct package_name_in in = {package->name, package->id};
    p->request = manager_call(m, m->provisioner_socket, &provisioner_interface, "Publish", &in, false,
                              PACKAGE_TIMEOUT, on_published, p);
}

static void on_fetched(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct prepare *p = userdata;
    struct manager *m = p->instance->manager;
    const struct package_reference *package = revision_of(p)->packages[p->package];
    if (continues) {
        const struct fetcher_fetch_out *progress = out;
        _cleanup_free_ char *text = xasprintf("%s: %lld of %lld bytes", package->id,
                                              (long long)progress->done, (long long)progress->total);
        set_stage(p, STAGE_PKG_DOWNLOAD, STAGE_RUNNING, text);
        return;
    }
    p->request = NULL;
    if (e) {
        prepare_failed(p, STAGE_PKG_DOWNLOAD, e);
        return;
    }
    struct unpacker_unpack_in in = {package->name, package->id, package->checksum};
    p->request = manager_call(m, m->unpacker_socket, &unpacker_interface, "Unpack", &in, true,
                              PACKAGE_TIMEOUT, on_unpacked, p);
}

static void bring_package(struct prepare *p, struct record_revision *revision)
{
    struct manager *m = p->instance->manager;
    const char *id = revision->packages[p->package]->id;
    set_stage(p, STAGE_PKG_DOWNLOAD, STAGE_RUNNING, id);
    if (package_is_being_removed(m, id)) {
        prepare_pause(p, REMOVAL_PAUSE);
        return;
    }
    struct fetcher_fetch_in in = {revision->packages[p->package]};
    p->request = manager_call(m, m->fetcher_socket, &fetcher_interface, "Fetch", &in, true, PACKAGE_TIMEOUT,
                              on_fetched, p);
}

static void on_resolved(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct prepare *p = userdata;
    struct record_revision *revision = revision_of(p);
    p->request = NULL;
    if (e) {
        prepare_failed(p, STAGE_PKG_DOWNLOAD, e);
        return;
    }
    const struct package_reference *found = ((const struct fetcher_resolve_out *)out)->package;
    struct package_reference *package =
        schema_append(&revision->packages, &revision->n_packages, sizeof *package);
    schema_copy(&package_reference_schema, found, package);
    prepare_next(p);
}

static void resolve_package(struct prepare *p, const struct app_name_version *wanted)
{
    struct manager *m = p->instance->manager;
    struct fetcher_resolve_in in = {.name = wanted->name, .version = wanted->version};
    set_stage(p, STAGE_PKG_DOWNLOAD, STAGE_RUNNING, wanted->name);
    p->request = manager_call(m, m->fetcher_socket, &fetcher_interface, "Resolve", &in, false,
                              RESOLVE_TIMEOUT, on_resolved, p);
}

/* --- image --- */

static void inspect_image(struct prepare *p, const char *reference, varlink_answer_fn on_answer)
{
    struct manager *m = p->instance->manager;
    struct driver_image_in in = {(char *)reference};
    p->request = manager_call(m, m->driver_socket, &container_driver_interface, "ImageInspect", &in, false,
                              CALL_TIMEOUT, on_answer, p);
}

/* Continues with the image 'id', whose VOLUMEs are 'declared'. Containers are created from 'use'. */
static void image_is(struct prepare *p, const char *use, const char *id, char *const *declared, size_t n)
{
    struct record_revision *revision = revision_of(p);
    struct error e = ERROR_INIT;
    int changed = record_set_volumes(revision, declared, n, &e);
    if (changed < 0) {
        prepare_failed(p, STAGE_IMAGE_PULL, &e);
        return;
    }
    set_string(&p->image, use);
    set_stage(p, STAGE_IMAGE_PULL, STAGE_SUCCESS, NULL);
    if (changed || !revision->resolved || !streq_null(revision->image_id, id)) {
        set_string(&revision->image_id, id);
        revision->resolved = true;
        if (save(p, STAGE_IMAGE_PULL) < 0)
            return;
    }
    prepare_next(p);
}

/* Handles the inspection of the image by its id, after the tag was found to name another image than it did
 * when the revision was resolved. If the image is still on this machine, containers use it by its id. */
static void on_own_image(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct prepare *p = userdata;
    struct record_revision *revision = revision_of(p);
    p->request = NULL;
    if (!e) {
        const struct driver_image *image = ((const struct driver_image_list_out *)out)->image;
        image_is(p, revision->image_id, revision->image_id, image ? image->volumes : NULL,
                 image ? image->n_volumes : 0);
        return;
    }
    if (e->class != ERROR_NOT_FOUND) {
        prepare_failed(p, STAGE_IMAGE_PULL, e);
        return;
    }
    log_notice("instance %s: image %s is no longer on this machine; the image that '%s' names now is used",
               p->instance->record->name, revision->image_id, revision->manifest->app->spec->image);
    set_string(&revision->image_id, NULL);
    prepare_next(p);
}

static void on_pulled(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct prepare *p = userdata;
    if (continues) {
        const struct driver_pull_out *progress = out;
        set_stage(p, STAGE_IMAGE_PULL, STAGE_RUNNING, progress->status);
        return;
    }
    p->request = NULL;
    if (e) {
        prepare_failed(p, STAGE_IMAGE_PULL, e);
        return;
    }
    const struct driver_pull_out *pulled = out;
    image_is(p, revision_of(p)->manifest->app->spec->image, pulled->id, pulled->volumes, pulled->n_volumes);
}

static void pull_image(struct prepare *p)
{
    struct manager *m = p->instance->manager;
    struct driver_image_in in = {revision_of(p)->manifest->app->spec->image};
    set_stage(p, STAGE_IMAGE_PULL, STAGE_RUNNING, NULL);
    p->request = manager_call(m, m->driver_socket, &container_driver_interface, "ImagePull", &in, true,
                              PULL_TIMEOUT, on_pulled, p);
}

static int pull_policy(const struct record_revision *revision)
{
    const struct app_options *o = revision->manifest->hostlet;
    return o && o->pull ? o->pull : APP_PULL_MISSING;
}

static void on_image(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct prepare *p = userdata;
    struct record_revision *revision = revision_of(p);
    p->request = NULL;
    if (!e) {
        const struct driver_image *image = ((const struct driver_image_list_out *)out)->image;
        if (revision->image_id && image && !streq(image->id, revision->image_id))
            inspect_image(p, revision->image_id, on_own_image);
        else
            image_is(p, revision->manifest->app->spec->image, image ? image->id : NULL,
                     image ? image->volumes : NULL, image ? image->n_volumes : 0);
        return;
    }
    if (e->class != ERROR_NOT_FOUND) {
        prepare_failed(p, STAGE_IMAGE_PULL, e);
        return;
    }
    if (pull_policy(revision) == APP_PULL_NEVER) {
        struct error never = ERROR_INIT;
        error_set(&never, ERROR_NOT_FOUND, ENOENT, "image '%s' is not on this machine, and pull = \"never\"",
                  revision->manifest->app->spec->image);
        prepare_failed(p, STAGE_IMAGE_PULL, &never);
        return;
    }
    pull_image(p);
}

/* --- the chain --- */

void prepare_next(struct prepare *p)
{
    struct record_revision *revision = revision_of(p);
    const struct app_spec *spec = revision->manifest->app->spec;
    const char *network = prepare_network_wanted(p);
    set_state(p, PREPARE_RUNNING);
    p->next_retry = 0;
    if (network && !streq_null(p->network, network))
        prepare_network(p, network);
    else if (revision->n_packages < spec->n_packages)
        resolve_package(p, spec->packages[revision->n_packages]);
    else if (!p->image && pull_policy(revision) == APP_PULL_ALWAYS && !revision->resolved)
        pull_image(p);
    else if (!p->image) {
        set_stage(p, STAGE_IMAGE_PULL, STAGE_RUNNING, NULL);
        inspect_image(p, spec->image, on_image);
    } else if (p->package < revision->n_packages)
        bring_package(p, revision);
    else {
        if (revision->n_packages > 0)
            set_stage(p, STAGE_PKG_DOWNLOAD, STAGE_SUCCESS, NULL);
        prepare_done(p);
    }
}

void prepare_start(struct instance *instance, int64_t revision)
{
    struct prepare *p = prepare_find(instance, revision);
    if (!p) {
        p = schema_append(&instance->prepares, &instance->n_prepares, sizeof *p);
        p->instance = instance;
        p->revision = revision;
    }
    if (p->state != PREPARE_NONE)
        return;
    p->began = outside_monotonic_usec(instance->manager->outside);
    prepare_next(p);
}

void prepare_redo(struct instance *instance, int64_t revision)
{
    struct prepare *p = prepare_find(instance, revision);
    if (!p || p->state != PREPARE_DONE)
        return;
    set_state(p, PREPARE_NONE);
    p->package = 0;
    set_string(&p->image, NULL);
    set_string(&p->network, NULL);
}

void prepare_forget_failures(struct instance *instance)
{
    for (size_t i = 0; i < instance->n_prepares; i++) {
        struct prepare *p = instance->prepares[i];
        if (p->state != PREPARE_WAITING)
            continue;
        timer_stop(&p->timer);
        p->retry = (struct retry){0};
        p->began = outside_monotonic_usec(instance->manager->outside);
        set_string(&p->failure, NULL);
        prepare_next(p);
    }
}
