/* Declaration of io.hostlet.Reconciler; see reconciler.h. */
#include "lib/api/reconciler.h"

#define STRUCT(var, type_name, ctype, text, ...)                                                             \
    static const struct schema_field var##_fields[] = {__VA_ARGS__, S_END};                                  \
    static const struct schema_struct var = {type_name, sizeof(ctype), text, var##_fields}

static const char *const state_names[] = {
    [REPLICA_NONE] = "none",
    [REPLICA_STARTING] = "starting",
    [REPLICA_RUNNING] = "running",
    [REPLICA_STOPPING] = "stopping",
    [REPLICA_STOPPED] = "stopped",
    [REPLICA_DESTROYING] = "destroying",
    [REPLICA_DESTROYED] = "destroyed",
    [REPLICA_FAILED] = "failed",
    [REPLICA_CRASH_LOOPING] = "crash_looping",
    [REPLICA_CONFLICT] = "conflict",
    [_REPLICA_STATE_MAX] = NULL,
};
const struct schema_enum replica_state_enum = {
    "ReplicaState", "none: no container. conflict: the name is taken by a container that is not ours.",
    state_names};

#define T struct reconciler_package
STRUCT(package, "InstancePackage", T, "A package of an instance.", S_STRING(T, name, NULL),
       S_STRING_OPT(T, version, "The rule."), S_STRING_OPT(T, id, "Resolved; absent while not."));
#undef T
#define T struct reconciler_replica
STRUCT(replica, "Replica", T, "One replica as it is.", S_INT(T, id, NULL), S_STRING(T, container, NULL),
       S_ENUM(T, state, &replica_state_enum, NULL), S_INT_OPT(T, revision, "Of the container that is there."),
       S_STRING_OPT(T, step, "What is being done now."),
       S_STRING_OPT(T, message, "Last error, or why it is so."), S_INT_OPT(T, attempt, "Failures in a row."),
       S_INT_OPT(T, next_retry, "Unix milliseconds of the next try by itself."),
       S_STRING_OPT(T, quota, "What is enforced, or why nothing is, for a human."),
       S_STRUCTS(T, ports, struct app_service_port, &app_service_port_schema, NULL),
       S_STRUCTS(T, stages, struct app_stage, &app_stage_schema, "Of the current revision."));
#undef T
#define T struct reconciler_instance
static const struct schema_field instance_fields[] = {
    S_STRING(T, name, NULL),
    S_STRING(T, origin, "local or zone."),
    S_STRING(T, action, "start, stop or destroy."),
    S_INT(T, revision, "The desired one."),
    S_STRING_OPT(T, spec, "Name of the spec."),
    S_STRING_OPT(T, version, "Of the spec."),
    S_STRING_OPT(T, image, NULL),
    S_STRING_OPT(T, image_id, "Resolved; absent while not."),
    S_STRUCTS(T, packages, struct reconciler_package, &package, NULL),
    S_BOOL(T, settled, "Nothing is being done, and nothing will be by itself."),
    S_BOOL(T, failed, "Something is not as desired, and the last attempt failed."),
    S_STRING_OPT(T, message, "Why resolving or preparing failed, or the rollout stopped."),
    S_INT_OPT(T, next_retry, "Unix milliseconds of the next try by itself."),
    S_STRUCTS(T, replicas, struct reconciler_replica, &replica, NULL),
    S_END,
};
const struct schema_struct reconciler_instance_schema = {"Instance", sizeof(T), "An instance as it is.",
                                                         instance_fields};
#undef T
#define T struct reconciler_apply_in
STRUCT(apply_in, NULL, T, NULL, S_STRUCT(T, manifest, struct app_manifest, &app_manifest_schema, NULL));
#undef T
#define T struct reconciler_change
STRUCT(change, "Change", T, "What would be, or is being, changed.",
       S_STRING(T, subject, "instance NAME or replica ID."),
       S_STRING(T, action, "create, recreate, update, start, stop, remove."), S_STRING_OPT(T, reason, NULL));
#undef T
#define T struct reconciler_apply_out
STRUCT(apply_out, NULL, T, NULL, S_STRING(T, name, NULL), S_INT(T, revision, NULL), S_BOOL(T, changed, NULL),
       S_STRUCTS(T, changes, struct reconciler_change, &change, NULL),
       S_STRINGS(T, refusals, "Of Plan: why Apply would be refused."));
#undef T
#define T struct reconciler_name_in
STRUCT(name_in, NULL, T, NULL, S_STRING(T, name, NULL));
STRUCT(watch_in, NULL, T, NULL, S_STRING_OPT(T, name, "Absent: all instances."));
#undef T
#define T struct reconciler_destroy_in
STRUCT(destroy_in, NULL, T, NULL, S_STRING(T, name, NULL),
       S_BOOL_OPT(T, purge, "Delete the data instead of keeping it."));
#undef T
#define T struct reconciler_get_out
STRUCT(get_out, NULL, T, NULL,
       S_STRUCT(T, instance, struct reconciler_instance, &reconciler_instance_schema, NULL),
       S_STRUCT(T, manifest, struct app_manifest, &app_manifest_schema, "As it is desired."));
#undef T
#define T struct reconciler_watch_out
STRUCT(watch_out, NULL, T, NULL,
       S_STRUCT_OPT(T, instance, struct reconciler_instance, &reconciler_instance_schema,
                    "Absent in the answer that ends a list."),
       S_BOOL_OPT(T, gone, "It was destroyed: this is the last of it."));
#undef T

static const struct varlink_method methods[] = {
    {"Apply", VARLINK_CHANGES, &apply_in, &apply_out,
     "Makes a manifest the desired state and begins; equal to what is desired already: does nothing, and "
     "says so. Follow with Watch."},
    {"Plan", 0, &apply_in, &apply_out, "What Apply would change and why. Nothing is done."},
    {"List", VARLINK_MORE, NULL, &watch_out, "All instances, one per answer."},
    {"Get", 0, &name_in, &get_out, "One instance."},
    {"Start", VARLINK_CHANGES, &name_in, &apply_out,
     "Wants it running; a switch that failed is tried again."},
    {"Stop", VARLINK_CHANGES, &name_in, &apply_out, "Wants it stopped; containers and data stay."},
    {"Destroy", VARLINK_CHANGES, &destroy_in, &apply_out,
     "Removes containers; the data is kept aside, or deleted with purge."},
    {"Watch", VARLINK_MORE, &watch_in, &watch_out, "The state now, and again at each change."},
    {.name = NULL},
};
const struct varlink_interface reconciler_interface = {
    "io.hostlet.Reconciler", "The desired state of this machine, and what became of it.", methods, NULL};
