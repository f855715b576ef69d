/* Declares io.hostlet.Reconciler; see reconciler.h. */
#include "lib/api/reconciler.h"

#include "lib/api/declare.h"

static const char *const state_names[] = {
    [REPLICA_NONE] = "none",
    [REPLICA_STARTING] = "starting",
    [REPLICA_RUNNING] = "running",
    [REPLICA_PAUSED] = "paused",
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
    "ReplicaState",
    "none: no container exists. paused: the container runs, and its processes are frozen. conflict: a "
    "container that does not belong to this tree has the name.",
    state_names};

#define T struct reconciler_package
STRUCT(package, "InstancePackage", T, "A package of an instance.", S_STRING(T, name, NULL),
       S_STRING_OPT(T, version, "The rule that the id is resolved by."),
       S_STRING_OPT(T, id, "Absent until it is resolved."));
#undef T
#define T struct reconciler_limits
STRUCT(limits, "ReplicaLimits", T, "The limits of a container. An absent member is no limit.",
       S_INT_OPT(T, cpu_limit, "Millicores."), S_INT_OPT(T, memory_limit, "Bytes."),
       S_INT_OPT(T, pids_limit, "The number of processes and threads."));
#undef T
#define T struct reconciler_replica
STRUCT(replica, "Replica", T, "The actual state of one replica.", S_INT(T, id, NULL),
       S_STRING(T, container, NULL), S_ENUM(T, state, &replica_state_enum, NULL),
       S_INT_OPT(T, revision, "The container's; absent: none exists."),
       S_STRING_OPT(T, step, "The step in progress, in words; absent: none."),
       S_STRING_OPT(T, message, "The last error, or the reason for the state."),
       S_INT_OPT(T, attempt, "Failures in a row."),
       S_INT_OPT(T, next_retry, "Unix milliseconds; absent: no retry is planned."),
       S_STRING_OPT(T, next, "What happens next without a request, as it is planned now; text for people."),
       S_INT_OPT(T, next_at, "Unix milliseconds at which that happens; absent: no time is planned."),
       S_STRING_OPT(T, quota, "The limit that is enforced, or why none is; text for people."),
       S_STRUCT_OPT(T, limits, struct reconciler_limits, &limits,
                    "The limits of the container; absent: no container exists, or they are not known."),
       S_STRING_OPT(T, limits_problem, "Why the desired limits are not set; they are set again later."),
       S_STRUCTS(T, ports, struct app_service_port, &app_service_port_schema, NULL),
       S_STRUCTS(T, stages, struct app_stage, &app_stage_schema,
                 "All stages of the instance's revision, each with its owner. The zone receives them."),
       S_STRUCTS(T, tasks, struct app_task_status, &app_task_status_schema,
                 "The tasks in the container, as inagent reported them last."),
       S_BOOL_OPT(T, ready, "The application in the container has reported that it is ready."),
       S_STRING_OPT(T, status, "The application's own text about its state."),
       S_BOOL_OPT(T, unassigned, "The zone assigns this replica to another host, or has removed it."),
       S_STRING_OPT(T, vpc_ipv4, "The replica's address in the zone's network."),
       S_STRING_OPT(T, last_exit, "Why the container exited last without a request; absent: it did not."),
       S_INT_OPT(T, last_exit_at, "Unix milliseconds."),
       S_INT_OPT(T, exits, "Exits without a request, since the reconciler started."),
       S_INT_OPT(T, oom_kills,
                 "Events of the runtime that processes were killed for lack of memory, since the reconciler "
                 "started; the main process need not be one of them."));
#undef T
#define T struct reconciler_stage_report
STRUCT(stage_report, "StageReport", T, "The stages that the zone receives for one replica.",
       S_INT(T, replica_id, NULL), S_STRUCTS(T, stages, struct app_stage, &app_stage_schema, NULL));
#undef T
#define T struct reconciler_instance
STRUCT_EXPORTED(
    reconciler_instance_schema, "Instance", T, "The desired and actual state of an instance.",
    S_STRING(T, name, NULL),
    S_STRING(T, origin, "local, zone or directory; unknown: its record cannot be read."),
    S_ENUM(T, action, &app_action_enum, NULL),
    S_INT(T, revision, "The desired revision; of a zone's instance, the revision of the zone's last order."),
    S_STRING_OPT(T, spec, "The name of the spec."), S_STRING_OPT(T, version, "The version of the spec."),
    S_STRING_OPT(T, image, NULL), S_STRING_OPT(T, image_id, "Absent until it is resolved."),
    S_STRUCTS(T, packages, struct reconciler_package, &package, NULL),
    S_BOOL(T, settled, "Nothing is in progress, and nothing starts without a request or event."),
    S_BOOL(T, failed,
           "Preparing, the rollout, a replica or its limits failed, the order cannot be followed, or the "
           "runtime is not reachable."),
    S_STRING_OPT(T, message, "Why preparing the revision failed or the rollout stopped."),
    S_INT_OPT(T, next_retry,
              "Unix milliseconds of the next attempt to prepare the revision; absent: none is planned."),
    S_STRING_OPT(T, next, "As of a replica, for all of them."), S_INT_OPT(T, next_at, NULL),
    S_STRUCTS(T, replicas, struct reconciler_replica, &replica, NULL),
    S_BOOL_OPT(T, unassigned, "The zone no longer lists the instance."),
    S_STRING_OPT(T, hold, "The reason for the hold; absent: the zone's orders are followed."),
    S_STRING_OPT(T, problem, "Why the zone's last order, or the file, is not followed."),
    S_STRING_OPT(T, file, "Of origin directory: the path of its manifest."),
    S_STRUCTS(T, clash, struct reconciler_stage_report, &stage_report,
              "In a clash, a local instance carries the stages that the zone receives for its own."));
#undef T
#define T struct reconciler_apply_in
STRUCT(
    apply_in, NULL, T, NULL, S_STRUCT(T, manifest, struct app_manifest, &app_manifest_schema, NULL),
    S_INT_OPT(T, patience_msec,
              "How long the reply may wait for the runtime, whose containers the manifest is compared with; "
              "10 s unless given. Without them the manifest is accepted, and conflicts are shown later."),
    S_INT_OPT(T, planned_memory,
              "Plan only: the sum of memory_change of the manifests that were planned before this one, and "
              "that are applied before it."));
#undef T
#define T struct reconciler_change
STRUCT(change, "Change", T, "A change that Plan predicts or Apply makes.",
       S_STRING(T, subject, "instance NAME or replica ID."),
       S_STRING(T, action, "create, recreate, update, start, stop, remove."), S_STRING_OPT(T, reason, NULL));
#undef T
#define T struct reconciler_apply_out
STRUCT(apply_out, NULL, T, NULL, S_STRING(T, name, NULL), S_INT(T, revision, NULL), S_BOOL(T, changed, NULL),
       S_STRUCTS(T, changes, struct reconciler_change, &change, NULL),
       S_STRINGS(T, refusals, "Plan only: the reasons for which Apply would refuse the manifest."),
       S_STRINGS(T, warnings, "What is accepted, and may be a mistake."),
       S_INT_OPT(T, memory_change, "Bytes by which the sum of all replicas' memory limits changes."),
       S_STRINGS(T, grants,
                 "Rights beyond those of other containers that the manifest grants, changed or not."),
       S_STRINGS(T, ports, "The published ports of the replicas that get a new container, as text."));
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
       S_STRUCT(T, manifest, struct app_manifest, &app_manifest_schema, "The desired state."));
#undef T
#define T struct reconciler_watch_out
STRUCT(watch_out, NULL, T, NULL,
       S_STRUCT_OPT(T, instance, struct reconciler_instance, &reconciler_instance_schema,
                    "Absent in the reply that ends a list, and in the one with complete."),
       S_BOOL_OPT(T, gone, "Watch only: the instance was destroyed."),
       S_BOOL_OPT(T, complete, "Watch only: the snapshot is complete; changes follow."));
#undef T
#define T struct reconciler_hold_in
STRUCT(hold_in, NULL, T, NULL, S_STRING(T, name, NULL),
       S_STRING_OPT(T, reason, "A text that is shown with the instance."));
#undef T
#define T struct reconciler_zone_facts
STRUCT_EXPORTED(
    reconciler_zone_facts_schema, "ZoneFacts", T,
    "The zone's facts about this machine. They are replaced as a whole: an absent member is unknown.",
    S_STRING(T, host_id, "12 to 16 hex digits. Replicas with this host id are assigned to this machine."),
    S_STRING_OPT(T, lan_addr, "The IPv4 address at which this machine is reached."),
    S_STRING_OPT(T, status_url, "The URL that inagent reports to; absent: it does not report."),
    S_STRING_OPT(T, base_domain, "zone_base_domain of app_replica.json."),
    S_STRING_OPT(T, vpc_bridge_ip, "An IPv4 address without prefix length."),
    S_STRING_OPT(T, vpc_instance_cidr, "The containers' network, such as 10.10.3.0/24."),
    S_STRING_OPT(T, vpc_problem, "Why that network cannot be used; absent: container-driver decides."));
#undef T
#define T struct reconciler_assignment
STRUCT(assignment, "Assignment", T, "The names of all instances that the zone assigns to this machine.",
       S_STRINGS(T, names, NULL));
#undef T
#define T struct reconciler_zone_in
STRUCT(zone_in, NULL, T, NULL,
       S_STRUCT_OPT(T, facts, struct reconciler_zone_facts, &reconciler_zone_facts_schema,
                    "Absent: unchanged."),
       S_STRUCT_OPT(T, instance, struct app_instance, &app_instance_schema,
                    "The instance in the leader's response, without deploy.stages and status."),
       S_STRING_OPT(
           T, refused,
           "Why the caller refuses the instance, which then has only its name, order number and replicas."),
       S_STRUCT_OPT(T, assigned, struct reconciler_assignment, &assignment,
                    "The complete list: the zone's instances that are not in it are no longer assigned. "
                    "Absent: unchanged."),
       S_STRUCT_OPT(T, network, struct net_network, &net_network_schema,
                    "The zone's network, for net-keeper. Absent: unchanged."),
       S_BOOL_OPT(T, no_network, "This machine belongs to no zone: net-keeper removes the network."));
#undef T
#define T struct reconciler_zone_out
STRUCT(zone_out, NULL, T, NULL, S_BOOL(T, changed, NULL),
       S_BOOL_OPT(T, managed, "The instance has a replica on this machine."),
       S_STRING_OPT(
           T, problem,
           "Why the instance's order is not followed: a local instance has its name, it is not well-formed, "
           "or its action is unknown. The order is stored; the problem is shown, and reported as a stage."),
       S_STRINGS(T, unknown, "Names in the list without a record. The caller sends these instances again."),
       S_STRINGS(T, network_problems, "What net-keeper could not do of the network, one sentence each."));
#undef T
#define T struct reconciler_secret_in
STRUCT(secret_in, NULL, T, NULL, S_STRING(T, name, NULL), S_INT_OPT(T, replica_id, NULL),
       S_STRING(T, secret, "34 hex digits."));
#undef T
#define T struct reconciler_run_task_in
STRUCT(
    run_task_in, NULL, T, NULL, S_STRING(T, name, NULL), S_INT_OPT(T, replica_id, NULL),
    S_STRING(T, task, NULL),
    S_STRING_OPT(T, id,
                 "The id that the request gets, 1 to 64 of the letters a to z, digits and '-', so that the "
                 "call can be repeated; absent: a new one."));
#undef T
#define T struct reconciler_run_task_out
STRUCT(run_task_out, NULL, T, NULL,
       S_STRING(T, id, "Of the request: the task's member request has it when inagent has decided."));
#undef T
#define T struct reconciler_report_in
STRUCT(
    report_in, NULL, T, NULL, S_STRING(T, instance_name, NULL), S_INT_OPT(T, replica_id, NULL),
    S_STRING(T, secret, "The secret of this replica."), S_INT_OPT(T, updated, "Unix milliseconds."),
    S_STRUCTS(T, stages, struct app_stage, &app_stage_schema,
              "They replace all stages that inagent owns; stages of other owners or revisions are dropped."),
    S_STRUCTS(
        T, tasks, struct app_task_status, &app_task_status_schema,
        "They replace all that are known of the replica; those of names that no task of the revision has "
        "are dropped. Without a stage of inagent the report's revision is not known: then tasks, ready "
        "and status are dropped."),
    S_BOOL_OPT(T, ready, "The application has reported that it is ready (READY=1)."),
    S_STRING_OPT(T, status, "The application's own text about its state (STATUS=)."),
    S_STRING_OPT(T, container, "The container's host name: at least 12 digits of its id."),
    S_STRING_OPT(T, life, "Random digits, others after each start. 'ready' counts only with both."),
    S_INT_OPT(T, ready_until,
              "Milliseconds after the start that the application asked for to become ready "
              "(EXTEND_TIMEOUT_USEC=)."));
#undef T
#define T struct reconciler_info_out
STRUCT(
    info_out, NULL, T, NULL,
    S_STRING(T, host_id, "The zone's id for this machine, or the machine's own without a zone."),
    S_STRUCT_OPT(T, zone, struct reconciler_zone_facts, &reconciler_zone_facts_schema,
                 "Absent: the machine belongs to no zone."),
    S_INT(T, instances, "The number of instances."),
    S_STRING_OPT(T, runtime_failure, "Why the container runtime is not reachable."),
    S_STRING_OPT(T, manifests, "The directory of manifests; absent: none is configured."),
    S_STRING_OPT(T, manifests_problem, "Why that directory cannot be followed."),
    S_STRUCT_OPT(
        T, runtime, struct driver_info_out, &driver_info_schema,
        "The container runtime. It is refreshed after a minute when a caller asks; absent: not known yet."));
#undef T

static const struct varlink_method methods[] = {
    {"Apply", VARLINK_CHANGES, &apply_in, &apply_out,
     "Makes a manifest the desired state and replies before the work is done; Watch shows the progress. If "
     "the manifest equals the desired state, the call changes nothing and replies with changed = false."},
    {"Plan", 0, &apply_in, &apply_out,
     "Replies with the changes that Apply would make, their reasons and refusals, and changes nothing."},
    {"List", VARLINK_MORE, NULL, &watch_out, "Replies with all instances, one per reply."},
    {"Get", 0, &name_in, &get_out, "Replies with one instance."},
    {"Start", VARLINK_CHANGES, &name_in, &apply_out,
     "Makes start the desired action. A failed switch is retried."},
    {"Stop", VARLINK_CHANGES, &name_in, &apply_out,
     "Makes stop the desired action. Containers and data are kept."},
    {"Destroy", VARLINK_CHANGES, &destroy_in, &apply_out,
     "Makes destroy the desired action: containers are removed. The data is kept under another name, or "
     "deleted with purge."},
    {"Watch", VARLINK_MORE, &watch_in, &watch_out,
     "Sends a snapshot of all instances, or of the named one, then a reply with complete, then each instance "
     "again when it changes."},
    {"Hold", VARLINK_CHANGES, &hold_in, &apply_out,
     "Holds one of the zone's instances: orders are stored, and Release follows the last one. Meanwhile an "
     "administrator may start, stop and destroy the instance."},
    {"Release", VARLINK_CHANGES, &name_in, &apply_out, "Ends a hold. The zone's last order is followed."},
    {"RunTask", VARLINK_CHANGES, &run_task_in, &run_task_out,
     "Lets the inagent of a running container run a task once more, and replies before it does; Watch shows "
     "the task. The desired state is unchanged, so that the instance may be the zone's. RetryLater: the "
     "inagent has not taken the request before this one yet."},
    {"Info", 0, NULL, &info_out, "Replies with the state of this machine, its zone and its runtime."},
    {"PutZoneState", VARLINK_CHANGES, &zone_in, &zone_out,
     "Accepts the zone's facts, the order for one instance and the list of assigned instances, in this "
     "order; each may be absent. They are saved before the reply; equal ones change nothing. Unlike Apply, "
     "the call accepts an order that cannot be followed: the problem is shown and reported. The network is "
     "passed to net-keeper, and the reply follows when net-keeper has stored it. RetryLater: net-keeper "
     "cannot be reached, or another network is being passed; the rest is accepted."},
    {"ImportSecret", VARLINK_CHANGES, &secret_in, NULL,
     "Stores the secret that the original agent gave a container. A secret that exists already is kept."},
    {"AgentReport", VARLINK_CHANGES, &report_in, NULL,
     "Accepts the stages and tasks that inagent reports from a container. Unauthorized: no such replica "
     "exists, or the "
     "secret is not its own."},
    {.name = NULL},
};
const struct varlink_interface reconciler_interface = {
    "io.hostlet.Reconciler", "The desired state of this machine and its actual state.", methods, NULL};
