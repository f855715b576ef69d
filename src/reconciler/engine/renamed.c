/* Implements renamed.h. */
#include "reconciler/engine/renamed.h"

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/copy.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/timeouts.h"
#include "reconciler/model/stages.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

const char *renamed_or_removed(const struct replica *r)
{
    const struct record_replica *record = r->record;
    for (size_t i = 0; i < record->n_containers; i++)
        if (!streq_null(record->containers[i], r->seen.current.id) &&
            !streq_null(record->containers[i], r->seen.old.id))
            return record->containers[i];
    return NULL;
}

bool renamed_is_in_way(const struct replica *r)
{
    const struct driver_container *c = &r->seen.renamed;
    if (c->state == DRIVER_MISSING)
        return false;
    size_t length = strlen(c->name) - (has_suffix(c->name, ".old") ? strlen(".old") : 0);
    _cleanup_free_ char *name = xstrndup(c->name, length), *instance = NULL;
    int64_t id;
    return app_container_name_parse(name, &instance, &id) >= 0;
}

static void call(struct replica *r, const char *method, const void *in)
{
    step_call(r, r->instance->manager->driver_socket, &container_driver_interface, method, in, CALL_TIMEOUT);
}

static void rename_to(struct replica *r, enum driver_slot slot)
{
    struct driver_rename_in in = {.instance = r->instance->record->name,
                                  .replica_id = r->record->id,
                                  .to = slot,
                                  .id = r->seen.renamed.id};
    log_notice("%s/%lld: another program renamed the container to '%s'; hostlet renames it", in.instance,
               (long long)in.replica_id, r->seen.renamed.name);
    call(r, "Rename", &in);
}

void renamed_to_current(struct replica *r)
{
    rename_to(r, DRIVER_SLOT_CURRENT);
}

void renamed_to_old(struct replica *r)
{
    rename_to(r, DRIVER_SLOT_OLD);
}

void renamed_to_aside(struct replica *r)
{
    rename_to(r, DRIVER_SLOT_ASIDE);
}

void renamed_remove(struct replica *r)
{
    struct driver_remove_in in = {.instance = r->instance->record->name,
                                  .replica_id = r->record->id,
                                  .id = r->seen.renamed.id,
                                  .keep_volumes = copy_is_missing(r, &r->seen.renamed)};
    if (replica_want(r) == WANT_GONE)
        stage_set(r, STAGE_CONTAINER_DESTROY, STAGE_RUNNING, NULL);
    call(r, "Remove", &in);
}

void renamed_was_removed(struct replica *r, const void *out)
{
    (void)out;
    if (record_drop_container(r->record, r->seen.renamed.id))
        store_save_soon(r->instance);
    schema_done(&driver_container_schema, &r->seen.renamed);
    r->seen.stale = true; /* there may be another one */
}
