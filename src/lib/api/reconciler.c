/* Declares io.hostlet.Reconciler; see reconciler.h. */
#include "lib/api/reconciler.h"

#include "lib/api/declare.h"

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
       S_STRUCTS(T, stages, struct app_stage, &app_stage_schema,
                 "All of the instance's revision, each with its owner: what the zone is told."),
       S_BOOL_OPT(T, unassigned, "The zone has this replica elsewhere, or no more."),
       S_STRING_OPT(T, vpc_ipv4, "Its address in the zone's network."));
#undef T
#define T struct reconciler_stage_report
STRUCT(stage_report, "StageReport", T, "What the zone is told of one replica.", S_INT(T, replica_id, NULL),
       S_STRUCTS(T, stages, struct app_stage, &app_stage_schema, NULL));
#undef T
#define T struct reconciler_instance
STRUCT_EXPORTED(
    reconciler_instance_schema, "Instance", T, "An instance as it is.", S_STRING(T, name, NULL),
    S_STRING(T, origin, "local or zone."), S_ENUM(T, action, &app_action_enum, NULL),
    S_INT(T, revision, "The desired one; of a zone's instance that of the zone's last order."),
    S_STRING_OPT(T, spec, "Name of the spec."), S_STRING_OPT(T, version, "Of the spec."),
    S_STRING_OPT(T, image, NULL), S_STRING_OPT(T, image_id, "Resolved; absent while not."),
    S_STRUCTS(T, packages, struct reconciler_package, &package, NULL),
    S_BOOL(T, settled, "Nothing is being done, and nothing will be by itself."),
    S_BOOL(T, failed, "Something is not as desired, and the last attempt failed."),
    S_STRING_OPT(T, message, "Why resolving or preparing failed, or the rollout stopped."),
    S_INT_OPT(T, next_retry, "Unix milliseconds of the next try by itself."),
    S_STRUCTS(T, replicas, struct reconciler_replica, &replica, NULL),
    S_BOOL_OPT(T, unassigned, "The zone's answers have it no more."),
    S_STRING_OPT(T, hold, "Why the zone's orders wait until Release."),
    S_STRING_OPT(T, problem, "Why the zone's last order is not followed."),
    S_STRUCTS(T, clash, struct reconciler_stage_report, &stage_report,
              "Of a local instance whose name the zone uses too: what the zone is told of its replicas."));
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
       S_STRINGS(T, refusals, "Of Plan: why Apply would be refused."),
       S_STRINGS(T, grants,
                 "What the manifest gives its containers that others do not have, changed or not."));
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
                    "Absent in the answer that ends a list, and in the one with complete."),
       S_BOOL_OPT(T, gone, "Of Watch: it was destroyed, this is the last of it."),
       S_BOOL_OPT(T, complete, "Of Watch: all that is there was told; changes follow."));
#undef T
#define T struct reconciler_hold_in
STRUCT(hold_in, NULL, T, NULL, S_STRING(T, name, NULL),
       S_STRING_OPT(T, reason, "For those who wonder later."));
#undef T
#define T struct reconciler_zone_facts
STRUCT_EXPORTED(
    reconciler_zone_facts_schema, "ZoneFacts", T,
    "What the zone says of this machine. Replaced as a whole: a member that is absent is unknown.",
    S_STRING(T, host_id, "12 to 16 hex digits. Replicas of other hosts are not ours."),
    S_STRING_OPT(T, lan_addr, "IPv4 address at which this machine is reached."),
    S_STRING_OPT(T, status_url, "Where inagent reports to; absent: it does not."),
    S_STRING_OPT(T, base_domain, "zone_base_domain of app_replica.json."),
    S_STRING_OPT(T, vpc_bridge_ip, "Bare IPv4 address."),
    S_STRING_OPT(T, vpc_instance_cidr, "The containers' network, such as 10.10.3.0/24."),
    S_STRING_OPT(T, vpc_problem, "Why that cannot be had; absent: container-driver decides."));
#undef T
#define T struct reconciler_assignment
STRUCT(assignment, "Assignment", T, "The names of all instances that the zone has on this machine.",
       S_STRINGS(T, names, NULL));
#undef T
#define T struct reconciler_zone_in
STRUCT(
    zone_in, NULL, T, NULL,
    S_STRUCT_OPT(T, facts, struct reconciler_zone_facts, &reconciler_zone_facts_schema, "Absent: as before."),
    S_STRUCT_OPT(T, instance, struct app_instance, &app_instance_schema,
                 "As the leader answered it; deploy.stages and status are dropped."),
    S_STRING_OPT(
        T, refused,
        "Why the instance is not followed whatever it says; of it then are name, order number and replicas."),
    S_STRUCT_OPT(T, assigned, struct reconciler_assignment, &assignment,
                 "The complete list: others of the zone's are no longer assigned. Absent: as before."));
#undef T
#define T struct reconciler_zone_out
STRUCT(zone_out, NULL, T, NULL, S_BOOL(T, changed, NULL),
       S_BOOL_OPT(T, managed, "The instance has a replica on this machine."),
       S_STRING_OPT(T, problem,
                    "Why the instance's order is not followed: its name is taken by a local one, it is not "
                    "well-formed, its action is unknown. It is kept, shown, and reported as a stage."),
       S_STRINGS(T, unknown, "Names of the list that are not known here: their instances are to be sent."));
#undef T
#define T struct reconciler_secret_in
STRUCT(secret_in, NULL, T, NULL, S_STRING(T, name, NULL), S_INT_OPT(T, replica_id, NULL),
       S_STRING(T, secret, "34 hex digits."));
#undef T
#define T struct reconciler_report_in
STRUCT(report_in, NULL, T, NULL, S_STRING(T, instance_name, NULL), S_INT_OPT(T, replica_id, NULL),
       S_STRING(T, secret, "The replica's own."), S_INT_OPT(T, updated, "Unix milliseconds."),
       S_STRUCTS(T, stages, struct app_stage, &app_stage_schema,
                 "Replace all that inagent owns; others', and those of another revision, are dropped."));
#undef T
#define T struct reconciler_info_out
STRUCT(info_out, NULL, T, NULL, S_STRING(T, host_id, "The zone's for this machine, else its own."),
       S_STRUCT_OPT(T, zone, struct reconciler_zone_facts, &reconciler_zone_facts_schema,
                    "Absent: it belongs to none."),
       S_INT(T, instances, "How many there are."),
       S_STRING_OPT(T, runtime_failure, "Why the container runtime is not reachable."),
       S_STRUCT_OPT(T, runtime, struct driver_info_out, &driver_info_schema,
                    "The container runtime, as it was a minute or two ago; absent: not known yet."));
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
    {"Watch", VARLINK_MORE, &watch_in, &watch_out,
     "All instances, or the one of that name, then an answer with complete, then each again when it "
     "changes."},
    {"Hold", VARLINK_CHANGES, &hold_in, &apply_out,
     "Lets the orders of the zone for one of its instances wait until Release: what runs, runs on, and may "
     "be "
     "started, stopped and destroyed here."},
    {"Release", VARLINK_CHANGES, &name_in, &apply_out, "Ends a hold: the zone's last order is followed."},
    {"Info", 0, NULL, &info_out, "This machine, and its zone."},
    {"PutZoneState", VARLINK_CHANGES, &zone_in, &zone_out,
     "What the zone wants of this machine: facts, then one instance, then the list, of which each may be "
     "absent. Durable when answered; an equal one does nothing. Unlike Apply it is not refused for what "
     "stands in its way: that is shown and reported."},
    {"ImportSecret", VARLINK_CHANGES, &secret_in, NULL,
     "The secret that a container had from the agent before hostlet; for an import. One that hostlet made "
     "stays."},
    {"AgentReport", VARLINK_CHANGES, &report_in, NULL,
     "What the agent in a container says of its stages. Unauthorized: no such replica, or not its secret."},
    {.name = NULL},
};
const struct varlink_interface reconciler_interface = {
    "io.hostlet.Reconciler", "The desired state of this machine, and what became of it.", methods, NULL};
