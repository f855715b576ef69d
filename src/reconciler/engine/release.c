/* Implements release.h. */
#include "reconciler/engine/release.h"

#include <stdlib.h>

#include "lib/api/fetcher.h"
#include "lib/api/provisioner.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/prepare.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

#define TRIES 5                     /* attempts of a removal while the worker is lost or busy */
#define PAUSE (100 * USEC_PER_MSEC) /* before the second one; longer before each further one */

struct removal {
    struct manager *manager;
    struct instance *waiting; /* is dropped only after the removal; NULL: none */
    const char *socket;       /* the manager's */
    const struct varlink_interface *interface;
    const char *method;
    char *name, *id;
    unsigned tries;
    struct timer timer; /* before the next attempt */
    struct removal *next;
};

/* Reports whether an instance but 'except' uses the package. An instance whose record cannot be read may use
 * any. */
static bool package_used(const struct manager *m, const struct instance *except, const char *id)
{
    if (m->unreadable)
        return true;
    for (const struct instance *i = m->instances; i; i = i->next)
        for (size_t k = 0; i != except && k < i->record->n_revisions; k++)
            for (size_t n = 0; n < i->record->revisions[k]->n_packages; n++)
                if (streq(i->record->revisions[k]->packages[n]->id, id))
                    return true;
    return false;
}

/* Reports whether the package is used. The instance that waits for the removal uses it if it was ordered
 * again. */
static bool is_used_again(const struct removal *removal)
{
    const struct instance *over = removal->waiting && removal->waiting->letting_go ? removal->waiting : NULL;
    return package_used(removal->manager, over, removal->id);
}

static void end_removal(struct removal *removal)
{
    struct removal **at = &removal->manager->removals;
    while (*at != removal)
        at = &(*at)->next;
    *at = removal->next;
    if (removal->waiting && --removal->waiting->removals == 0)
        instance_changed(removal->waiting);
    free(removal->name);
    free(removal->id);
    free(removal);
}

static void start_removal(struct removal *removal);

static void on_removal_timer(void *userdata)
{
    struct removal *removal = userdata;
    if (is_used_again(removal))
        end_removal(removal);
    else
        start_removal(removal);
}

static void on_removed(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct removal *removal = userdata;
    if (e && e->class == ERROR_RETRY && ++removal->tries < TRIES && !is_used_again(removal)) {
        /* The fetcher may still be ending a cancelled download of it. */
        clock_arm(removal->manager->outside->clock, &removal->timer, removal->tries * PAUSE, on_removal_timer,
                  removal);
        return;
    }
    if (e)
        log_notice("package %s, which no instance uses, cannot be removed and is kept: %s", removal->id,
                   e->message);
    end_removal(removal);
}

static void start_removal(struct removal *removal)
{
    struct package_name_in in = {removal->name, removal->id};
    manager_call(removal->manager, removal->socket, removal->interface, removal->method, &in, false,
                 CALL_TIMEOUT, on_removed, removal);
}

bool package_is_being_removed(const struct manager *m, const char *id)
{
    for (const struct removal *removal = m->removals; removal; removal = removal->next)
        if (streq(removal->id, id))
            return true;
    return false;
}

static void remove_package(struct manager *m, struct instance *waiting, const char *socket,
                           const struct varlink_interface *interface, const char *method,
                           const struct package_reference *package)
{
    struct removal *removal = xcalloc(1, sizeof *removal);
    if (waiting)
        waiting->removals++;
    *removal = (struct removal){.manager = m,
                                .waiting = waiting,
                                .socket = socket,
                                .interface = interface,
                                .method = method,
                                .name = xstrdup(package->name),
                                .id = xstrdup(package->id),
                                .next = m->removals};
    m->removals = removal;
    start_removal(removal);
}

static void remove_packages(struct manager *m, struct instance *waiting,
                            const struct record_revision *revision)
{
    bool keep = m->settings.keep_packages;
    for (size_t i = 0; i < revision->n_packages && !keep; i++) {
        const struct package_reference *package = revision->packages[i];
        if (package_used(m, waiting, package->id))
            continue;
        remove_package(m, waiting, m->provisioner_socket, &provisioner_interface, "Unpublish", package);
        remove_package(m, waiting, m->fetcher_socket, &fetcher_interface, "Remove", package);
    }
}

void release_packages(struct manager *m, const struct record_revision *revision)
{
    remove_packages(m, NULL, revision);
}

bool instance_let_go(struct instance *instance)
{
    if (!instance->letting_go && failpoint("let_go.before") < 0)
        log_notice("failpoint: the packages of instance %s stay", instance->record->name);
    for (size_t i = 0; !instance->letting_go && i < instance->record->n_revisions; i++)
        remove_packages(instance->manager, instance, instance->record->revisions[i]);
    instance->letting_go = true;
    return instance->removals == 0;
}

static void release_revision(struct instance *instance, size_t at)
{
    struct manager *m = instance->manager;
    struct record *record = instance->record;
    struct record_revision *revision = record->revisions[at];
    record->n_revisions--;
    memmove(&record->revisions[at], &record->revisions[at + 1],
            (record->n_revisions - at) * sizeof *record->revisions);
    prepare_drop(instance, revision->revision);
    release_packages(m, revision);
    schema_free(&record_revision_schema, revision);
    store_save_soon(instance);
}

/* Drops the image and packages of an instance whose replicas are all destroyed and which stays in the record
 * because the zone receives its stages. */
static void release_bits(struct instance *instance)
{
    struct record_revision *target = instance_target(instance), old = {.revision = target->revision};
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i]->last != STEP_GONE || instance->replicas[i]->request)
            return;
    if (instance->n_replicas == 0 || !target->resolved)
        return;
    record_forget_bits(target, &old);
    prepare_drop(instance, target->revision);
    release_packages(instance->manager, &old);
    schema_done(&record_revision_schema, &old);
    store_save_soon(instance);
}

static bool revision_used(const struct instance *instance, int64_t revision)
{
    if (revision == instance->record->revision)
        return true;
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct replica *r = instance->replicas[i];
        /* A call in progress may use any revision. */
        if (r->record->applied_revision == revision || r->request ||
            (r->seen.current.state != DRIVER_MISSING && r->seen.current.revision == revision) ||
            (r->seen.old.state != DRIVER_MISSING && r->seen.old.revision == revision) ||
            (r->seen.renamed.state != DRIVER_MISSING && r->seen.renamed.revision == revision))
            return true;
    }
    return false;
}

void instance_release_revisions(struct instance *instance)
{
    for (size_t i = instance->record->n_revisions; i > 0; i--)
        if (!revision_used(instance, instance->record->revisions[i - 1]->revision))
            release_revision(instance, i - 1);
    release_bits(instance);
}
