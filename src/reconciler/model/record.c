/* Implements record.h, and declares the format of the file. */
#include "reconciler/model/record.h"

#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/app/volume.h"
#include "lib/basic/util.h"
#include "lib/schema/object.h"

#define T struct record_limits
static const struct schema_field limits_fields[] = {
    S_INT_OPT(T, cpu_limit, NULL), S_INT_OPT(T, memory_limit, NULL), S_INT_OPT(T, pids_limit, NULL), S_END};
static const struct schema_struct limits = {"Limits", sizeof(T), NULL, limits_fields};
#undef T
#define T struct record_revision
static const struct schema_field revision_fields[] = {
    S_INT(T, revision, NULL),
    S_STRUCT(T, manifest, struct app_manifest, &app_manifest_schema, NULL),
    S_STRUCT_OPT(T, first_limits, struct record_limits, &limits, NULL),
    S_BOOL_OPT(T, assumed, NULL),
    S_BOOL_OPT(T, resolved, NULL),
    S_STRING_OPT(T, image_id, NULL),
    S_STRUCTS(T, packages, struct package_reference, &package_reference_schema, NULL),
    S_STRINGS(T, volumes, NULL),
    S_END,
};
const struct schema_struct record_revision_schema = {"Revision", sizeof(T), NULL, revision_fields};
#undef T
#define T struct record_agent
static const struct schema_field agent_fields[] = {
    S_INT_OPT(T, revision, NULL),
    S_INT_OPT(T, reported, NULL),
    S_STRUCTS(T, tasks, struct app_task_status, &app_task_status_schema, NULL),
    S_BOOL_OPT(T, ready, NULL),
    S_STRING_OPT(T, status, NULL),
    S_STRING_OPT(T, container, NULL),
    S_STRING_OPT(T, life, NULL),
    S_STRING_OPT(T, over, NULL),
    S_INT_OPT(T, started, NULL),
    S_INT_OPT(T, ready_until, NULL),
    S_END};
const struct schema_struct record_agent_schema = {"Agent", sizeof(T), NULL, agent_fields};
#undef T
#define T struct record_replica
static const struct schema_field replica_fields[] = {
    S_INT(T, id, NULL),
    S_INT_OPT(T, applied_revision, NULL),
    S_INT_OPT(T, failed_revision, NULL),
    S_INT_OPT(T, attempt, NULL),
    S_INT_OPT(T, rolling_back, NULL),
    S_BOOL_OPT(T, update_files, NULL),
    S_BOOL_OPT(T, removing, NULL),
    S_BOOL_OPT(T, unassigned, NULL),
    S_STRING_OPT(T, vpc_ipv4, NULL),
    S_STRINGS(T, containers, NULL),
    S_STRING_OPT(T, failure, NULL),
    S_STRING_OPT(T, copied, NULL),
    S_STRUCT_OPT(T, limits, struct record_limits, &limits, NULL),
    S_STRING_OPT(T, quota, NULL),
    S_INT_OPT(T, quota_limit, NULL),
    S_STRUCTS(T, ports, struct app_service_port, &app_service_port_schema, NULL),
    S_STRUCTS(T, applied_ports, struct app_service_port, &app_service_port_schema, NULL),
    S_STRUCTS(T, stages, struct app_stage, &app_stage_schema, NULL),
    S_STRUCT_OPT(T, agent, struct record_agent, &record_agent_schema, NULL),
    S_END,
};
const struct schema_struct record_replica_schema = {"Replica", sizeof(T), NULL, replica_fields};
#undef T
#define T struct record
static const struct schema_field record_fields[] = {
    S_INT(T, format, NULL),
    S_STRING(T, name, NULL),
    S_STRING(T, origin, NULL),
    S_ENUM(T, action, &app_action_enum, NULL),
    S_BOOL_OPT(T, purge, NULL),
    S_INT(T, revision, NULL),
    S_STRING_OPT(T, file, NULL),
    S_INT_OPT(T, mounts, NULL),
    S_INT_OPT(T, order, NULL),
    S_STRING_OPT(T, problem, NULL),
    S_BOOL_OPT(T, unassigned, NULL),
    S_STRING_OPT(T, hold, NULL),
    S_ENUM_OPT(T, hold_action, &app_action_enum, NULL),
    S_INT_OPT(T, next_since, NULL),
    S_STRUCT_OPT(T, next, struct app_instance, &app_instance_schema, NULL),
    S_STRUCTS(T, revisions, struct record_revision, &record_revision_schema, NULL),
    S_STRUCTS(T, replicas, struct record_replica, &record_replica_schema, NULL),
    S_END,
};
const struct schema_struct record_schema = {"Record", sizeof(T), NULL, record_fields};
#undef T

bool record_is_zone(const struct record *record)
{
    return streq(record->origin, "zone");
}

bool record_is_directory(const struct record *record)
{
    return streq(record->origin, "directory");
}

struct record_revision *record_find_revision(const struct record *record, int64_t revision)
{
    for (size_t i = 0; i < record->n_revisions; i++)
        if (record->revisions[i]->revision == revision)
            return record->revisions[i];
    return NULL;
}

struct record_limits record_limits_of(const struct app_manifest *manifest)
{
    const struct app_deploy *deploy = manifest->app->deploy;
    const struct app_options *options = manifest->hostlet;
    bool image = options && options->init == APP_INIT_IMAGE;
    struct record_limits ret = {.pids_limit = image ? APP_PIDS_WITH_IMAGE : APP_PIDS_WITH_INAGENT};
    if (deploy) {
        ret.cpu_limit = deploy->cpu_limit;
        ret.memory_limit = deploy->memory_limit;
    }
    if (options && options->pids_limit)
        ret.pids_limit = options->pids_limit;
    return ret;
}

/* Returns the larger memory limit of the desired and of the applied revision: a replica keeps the container
 * of the latter until it is switched, and for good if the switch fails. */
static int64_t replica_memory(const struct record *record, const struct record_replica *replica,
                              const struct record_revision *target)
{
    const struct record_revision *applied = record_find_revision(record, replica->applied_revision);
    int64_t wanted = record_limits_of(target->manifest).memory_limit,
            present = applied ? record_limits_of(applied->manifest).memory_limit : 0;
    return wanted > present ? wanted : present;
}

int64_t record_memory(const struct record *record)
{
    const struct record_revision *target = record_find_revision(record, record->revision);
    int64_t sum = 0;
    if (!target || record->action == APP_ACTION_DESTROY)
        return 0;
    for (size_t i = 0; i < record->n_replicas; i++)
        /* An order of the zone can have any limit. */
        if (!record->replicas[i]->removing &&
            __builtin_add_overflow(sum, replica_memory(record, record->replicas[i], target), &sum))
            return INT64_MAX;
    return sum;
}

static void keep_first_limits(struct record_revision *revision, const struct app_manifest *manifest)
{
    struct record_limits before = record_limits_of(revision->manifest), after = record_limits_of(manifest);
    if (revision->first_limits || memcmp(&before, &after, sizeof before) == 0)
        return;
    revision->first_limits = xcalloc(1, sizeof before);
    *revision->first_limits = before;
}

void record_set_manifest(struct record_revision *revision, const struct app_manifest *manifest)
{
    if (revision->manifest)
        keep_first_limits(revision, manifest);
    if (revision->manifest)
        schema_free(&app_manifest_schema, revision->manifest);
    revision->manifest = xcalloc(1, sizeof *revision->manifest);
    schema_copy(&app_manifest_schema, manifest, revision->manifest);
}

void record_add_revision(struct record *record, int64_t number, const struct app_manifest *manifest)
{
    struct record_revision *revision =
        schema_append(&record->revisions, &record->n_revisions, sizeof *revision);
    revision->revision = number;
    record_set_manifest(revision, manifest);
    record->revision = number;
}

void record_assume_revision(struct record *record, int64_t number)
{
    int64_t desired = record->revision;
    record_add_revision(record, number, record_find_revision(record, desired)->manifest);
    record->revisions[record->n_revisions - 1]->assumed = true;
    record->revision = desired;
}

int record_set_volumes(struct record_revision *revision, char *const *declared, size_t n, struct error *e)
{
    const struct app_options *o = revision->manifest->hostlet;
    const struct app_volume_rules rules = {.inagent = !o || o->init != APP_INIT_IMAGE,
                                           .read_only = o && o->read_only};
    char **volumes = NULL;
    size_t n_volumes = 0;
    int r = app_volumes_of_image(declared, n, &rules, &volumes, &n_volumes, e);
    if (r < 0)
        return error_prefix(e, "image '%s' has a VOLUME that hostlet refuses",
                            revision->manifest->app->spec->image);
    bool same = n_volumes == revision->n_volumes;
    for (size_t i = 0; same && i < n_volumes; i++)
        same = streq(volumes[i], revision->volumes[i]);
    app_volumes_free(revision->volumes, revision->n_volumes);
    revision->volumes = volumes;
    revision->n_volumes = n_volumes;
    return !same;
}

void record_forget_bits(struct record_revision *revision, struct record_revision *old)
{
    old->packages = revision->packages;
    old->n_packages = revision->n_packages;
    old->image_id = revision->image_id;
    old->volumes = revision->volumes;
    old->n_volumes = revision->n_volumes;
    revision->packages = NULL;
    revision->volumes = NULL;
    revision->n_packages = revision->n_volumes = 0;
    revision->image_id = NULL;
    revision->resolved = false;
}

void record_set_next(struct record *record, const struct app_instance *next, int64_t now)
{
    if (record->next)
        schema_free(&app_instance_schema, record->next);
    record->next = NULL;
    record->next_since = 0;
    if (!next)
        return;
    record->next = xcalloc(1, sizeof *record->next);
    schema_copy(&app_instance_schema, next, record->next);
    record->next_since = now;
}

struct record_replica *record_find_replica(const struct record *record, int64_t id)
{
    for (size_t i = 0; i < record->n_replicas; i++)
        if (record->replicas[i]->id == id)
            return record->replicas[i];
    return NULL;
}

struct record_replica *record_add_replica(struct record *record, int64_t id)
{
    struct record_replica *r = schema_append(&record->replicas, &record->n_replicas, sizeof *r);
    r->id = id;
    /* The order of ids is the order of a rollout. */
    for (size_t i = record->n_replicas - 1; i > 0 && record->replicas[i - 1]->id > id; i--) {
        record->replicas[i] = record->replicas[i - 1];
        record->replicas[i - 1] = r;
    }
    return r;
}

void record_remove_replica(struct record *record, int64_t id)
{
    for (size_t i = 0; i < record->n_replicas; i++)
        if (record->replicas[i]->id == id) {
            schema_free(&record_replica_schema, record->replicas[i]);
            record->n_replicas--;
            memmove(&record->replicas[i], &record->replicas[i + 1],
                    (record->n_replicas - i) * sizeof *record->replicas);
            return;
        }
}

bool record_add_container(struct record_replica *replica, const char *id)
{
    for (size_t i = 0; i < replica->n_containers; i++)
        if (streq(replica->containers[i], id))
            return false;
    schema_append_string(&replica->containers, &replica->n_containers, id);
    return true;
}

bool record_drop_container(struct record_replica *replica, const char *id)
{
    for (size_t i = 0; i < replica->n_containers; i++)
        if (streq_null(replica->containers[i], id)) {
            free(replica->containers[i]);
            replica->containers[i] = replica->containers[--replica->n_containers];
            return true;
        }
    return false;
}
