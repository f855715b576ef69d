/* Declares io.hostlet.ContainerDriver; see container_driver.h. */
#include "lib/api/container_driver.h"

#include "lib/api/declare.h"

static const char *const slot_names[] = {"current", "old", NULL};
const struct schema_enum driver_slot_enum = {
    "Slot", "current: i8k_INSTANCE_ID. old: the container that a switch put aside, i8k_INSTANCE_ID.old.",
    slot_names};
static const char *const state_names[] = {"missing", "created",  "running", "restarting",
                                          "exited",  "removing", NULL};
const struct schema_enum driver_state_enum = {"State", "Of a container.", state_names};
static const char *const restart_names[] = {"no", "always", NULL};
const struct schema_enum driver_restart_enum = {"Restart", "The runtime's own restart policy.",
                                                restart_names};
static const char *const runtime_state_names[] = {"unknown", "up", "down", NULL};
const struct schema_enum driver_runtime_state_enum = {
    "RuntimeState", "As the last request found the runtime.", runtime_state_names};

#define REPLICA(T) S_STRING(T, instance, "Name of the instance."), S_INT(T, replica_id, "0 to 127.")

#define T struct driver_info_out
STRUCT_EXPORTED(
    driver_info_schema, "RuntimeInfo", T, "A container runtime.", S_STRING(T, runtime, "docker or null."),
    S_ENUM(T, state, &driver_runtime_state_enum, NULL), S_STRING_OPT(T, reason, "Why it is down."),
    S_STRING_OPT(T, version, NULL), S_STRING_OPT(T, api_version, NULL), S_STRING_OPT(T, storage_driver, NULL),
    S_STRING_OPT(T, arch, "Of containers: amd64, arm64."), S_INT_OPT(T, cpus, NULL),
    S_INT_OPT(T, memory, "Bytes."), S_INT_OPT(T, containers, "All that the runtime has."),
    S_INT_OPT(T, images, "All that the runtime has."),
    S_BOOL_OPT(T, live_restore, "Containers survive a restart of the runtime."),
    S_BOOL_OPT(T, layer_limit, "Writable layers can be limited."),
    S_STRING_OPT(T, seccomp,
                 "The profile of new containers: hostlet, the path of a file, runtime (the engine's "
                 "own) or none; absent: "
                 "not known."),
    S_STRING_OPT(T, seccomp_reason, "Why it is not the configured one."),
    S_STRING_OPT(T, adopted_reason, "Why containers of the agent before hostlet are left alone."));
#undef T
#define T struct driver_image_in
STRUCT(image_in, NULL, T, NULL, S_STRING(T, reference, "Name, name:tag, name@digest or id."));
#undef T
#define T struct driver_image
STRUCT_EXPORTED(driver_image_schema, "Image", T, "An image that is present.", S_STRING(T, id, NULL),
                S_STRINGS(T, tags, NULL), S_STRINGS(T, digests, NULL), S_INT_OPT(T, size, "Bytes."),
                S_STRING_OPT(T, user, NULL), S_STRINGS(T, entrypoint, NULL), S_STRINGS(T, command, NULL));
#undef T
#define T struct driver_image_list_out
STRUCT(image_out, NULL, T, NULL,
       S_STRUCT_OPT(T, image, struct driver_image, &driver_image_schema,
                    "Absent in the answer that ends a list."));
#undef T
#define T struct driver_pull_out
STRUCT(pull_out, NULL, T, NULL, S_STRING_OPT(T, status, "What is happening, for a human."),
       S_INT_OPT(T, done, "Bytes of the layers known so far."),
       S_INT_OPT(T, total, "Bytes of the layers known so far."),
       S_STRING_OPT(T, id, "Of the image: the final answer."));
#undef T
#define T struct driver_port
STRUCT(port, "Port", T, "A published TCP port.", S_INT(T, port, "Inside."),
       S_INT(T, host_port, "On all addresses of the machine."));
#undef T
#define T struct driver_package
STRUCT(package, "Package", T, "A package's install directory, mounted read-only at /usr/innerstack/NAME.",
       S_STRING(T, name, NULL), S_STRING(T, id, NULL));
#undef T
#define T struct driver_create_in
STRUCT_EXPORTED(
    driver_create_schema, NULL, T, NULL, REPLICA(T), S_INT(T, revision, "Kept as a label."),
    S_STRING(T, config, "Hash of what the container is made from; kept as a label."),
    S_STRING(T, image, "Reference or id; must be present."), S_STRING(T, host_id, "For APP_HOST_ID."),
    S_ENUM(T, init, &app_init_enum, NULL), S_STRINGS(T, command, "For init = image."),
    S_STRING_MAP(T, env, "Beside what the contract gives."), S_INT_OPT(T, cpu_limit, "Millicores."),
    S_INT_OPT(T, memory_limit, "Bytes."), S_INT_OPT(T, pids_limit, NULL),
    S_INT_OPT(T, stop_timeout_msec, NULL), S_INT_OPT(T, probation_msec, "Told to inagent."),
    S_STRUCTS(T, ports, struct driver_port, &port, NULL),
    S_STRUCTS(T, packages, struct driver_package, &package, NULL),
    S_STRING_OPT(T, vpc_ipv4, "Its fixed address in the zone's network; absent: the runtime's own network."),
    S_STRING_OPT(T, vpc_cidr, "The zone's network on this machine, such as 10.10.3.0/24; with vpc_ipv4."),
    S_STRINGS(T, capabilities,
              "Of Docker's default set, such as NET_RAW, beside those that every container has."),
    S_BOOL_OPT(T, read_only, "Its root is read-only; /tmp and /run are empty, in memory."),
    S_BOOL_OPT(T, no_new_privileges, NULL));
#undef T
#define T struct driver_check_network_in
STRUCT(check_network_in, NULL, T, NULL, S_STRING(T, cidr, "Such as 10.10.3.0/24."));
#undef T
#define T struct driver_check_network_out
STRUCT(check_network_out, NULL, T, NULL,
       S_STRING_OPT(T, problem, "Why it cannot: what of this machine's it would take the place of."));
#undef T
#define T struct driver_create_out
STRUCT(create_out, NULL, T, NULL, S_STRING(T, id, NULL),
       S_BOOL_OPT(T, layer_unlimited, "The storage driver cannot limit the writable layer."));
#undef T
#define T struct driver_replica_in
STRUCT(replica_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL));
#undef T
#define T struct driver_container
STRUCT_EXPORTED(driver_container_schema, "Container", T,
                "What the runtime says of a container with a name of hostlet's form.", S_STRING(T, id, NULL),
                S_STRING(T, name, NULL), S_STRING(T, instance, NULL), S_INT(T, replica_id, NULL),
                S_ENUM(T, slot, &driver_slot_enum, NULL),
                S_BOOL(T, ours, "Carries the label of this tree, or was adopted."),
                S_BOOL_OPT(T, adopted,
                           "Made by the agent before hostlet: what it is made of is not compared."),
                S_STRING_OPT(T, owner, "Whose it is, where it is not ours, for a human."),
                S_STRING_OPT(T, tree, "The id of another tree, whose label it carries."),
                S_ENUM(T, state, &driver_state_enum, NULL),
                S_STRING_OPT(T, image, "As the creator named it."), S_STRING_OPT(T, image_id, NULL),
                S_INT_OPT(T, revision, NULL), S_STRING_OPT(T, config, NULL),
                S_ENUM(T, restart, &driver_restart_enum, NULL), S_INT(T, exit_code, NULL),
                S_STRING_OPT(T, error, "Of the runtime: why it did not start."),
                S_BOOL_OPT(T, oom_killed, NULL), S_INT_OPT(T, started_at, "Unix milliseconds."),
                S_INT_OPT(T, finished_at, "Unix milliseconds."), S_INT_OPT(T, restart_count, NULL),
                S_INT_OPT(T, cpu_limit, "Millicores."), S_INT_OPT(T, memory_limit, "Bytes."),
                S_INT_OPT(T, layer_limit, "Bytes of its writable layer; absent: not limited."),
                S_INT_OPT(T, stop_timeout_msec, "Its own; absent: the runtime's default."),
                S_STRUCTS(T, ports, struct driver_port, &port, "As bound."),
                S_STRING_OPT(T, vpc_ipv4, "Its address in the zone's network, whether it runs or not."),
                S_BOOL_OPT(T, lxcfs, "It has the files of lxcfs."),
                S_BOOL_OPT(T, lxcfs_differs, "It should have them and has not, or the other way round."));
#undef T
#define T struct driver_inspect_out
STRUCT(inspect_out, NULL, T, NULL,
       S_STRUCT_OPT(T, container, struct driver_container, &driver_container_schema,
                    "Absent: there is none; in a list, its end."));
#undef T
#define T struct driver_stop_in
STRUCT(stop_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_INT_OPT(T, timeout_msec, "Before SIGKILL; absent: the container's own."));
#undef T
#define T struct driver_adopt_in
STRUCT(adopt_in, NULL, T, NULL, REPLICA(T),
       S_INT(T, revision, "That the agent before hostlet last applied to it."));
#undef T
#define T struct driver_rename_in
STRUCT(rename_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, from, &driver_slot_enum, NULL),
       S_ENUM(T, to, &driver_slot_enum, NULL));
#undef T
#define T struct driver_restart_in
STRUCT(restart_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_ENUM(T, policy, &driver_restart_enum, NULL));
#undef T
#define T struct driver_logs_in
STRUCT(logs_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_BOOL_OPT(T, follow, NULL), S_INT_OPT(T, since, "Unix milliseconds."),
       S_INT_OPT(T, tail, "Lines; absent is all."));
#undef T
#define T struct driver_tail_out
STRUCT(tail_out, NULL, T, NULL, S_STRINGS(T, lines, "The last lines of both streams, without line ends."));
#undef T
#define T struct driver_event
STRUCT_EXPORTED(driver_event_schema, "Event", T, "Something happened to a container of ours.", REPLICA(T),
                S_ENUM(T, slot, &driver_slot_enum, NULL),
                S_STRING(T, action, "create, start, die, destroy, rename, …"), S_INT_OPT(T, exit_code, NULL));
#undef T
#define T struct driver_watch_out
STRUCT(watch_out, NULL, T, NULL,
       S_STRUCT_OPT(T, container, struct driver_container, &driver_container_schema,
                    "One that is there, ours or not, as List has it."),
       S_STRUCT_OPT(T, event, struct driver_event, &driver_event_schema,
                    "Something that happened: Inspect shows what became of the container."),
       S_BOOL_OPT(T, complete, "All that is there was told; events follow."),
       S_STRING_OPT(T, lost,
                    "Why the runtime's events do not flow. All is told anew, in this stream, when they do."));
#undef T

static const struct varlink_method methods[] = {
    {"Info", 0, NULL, &driver_info_schema, "The runtime and its state."},
    {"ImageInspect", 0, &image_in, &image_out, "An image that is present; NotFound otherwise."},
    {"ImageList", VARLINK_MORE, NULL, &image_out, "All images, one per answer."},
    {"ImagePull", VARLINK_MORE | VARLINK_CHANGES, &image_in, &pull_out, "Pulls an image. Streams progress."},
    {"List", VARLINK_MORE, NULL, &inspect_out,
     "All containers whose names have hostlet's form, ours or not, one per answer."},
    {"Inspect", 0, &replica_in, &inspect_out, "One container."},
    {"CheckNetwork", 0, &check_network_in, &check_network_out,
     "Whether the zone's network can be made with this range, or is there with it; makes nothing."},
    {"Create", VARLINK_CHANGES, &driver_create_schema, &create_out,
     "Creates the container of a replica, restart policy no; fine if it is there from the same config. "
     "Conflict: the name is "
     "taken by something else."},
    {"Start", VARLINK_CHANGES, &replica_in, NULL, "Starts it; fine if it runs."},
    {"Stop", VARLINK_CHANGES, &stop_in, NULL, "Stops it; fine if it does not run or is not there."},
    {"Adopt", VARLINK_CHANGES, &adopt_in, &inspect_out,
     "Takes over, as it is, a container that the agent before hostlet made; for an administrator's import. "
     "Conflict: another tree's label is on it."},
    {"Rename", VARLINK_CHANGES, &rename_in, NULL, "Moves a container between the slots of its replica."},
    {"Remove", VARLINK_CHANGES, &replica_in, NULL, "Removes it, running or not; fine if it is not there."},
    {"SetRestart", VARLINK_CHANGES, &restart_in, NULL, "Sets the runtime's restart policy."},
    {"Logs", VARLINK_UPGRADE, &logs_in, NULL,
     "The output as raw frames: one byte stream (1 output, 2 errors, 3 the driver's own words when the log "
     "ends early), three zeros, four bytes of length (big-endian), the data."},
    {"Tail", 0, &logs_in, &tail_out, "The last lines of the output, as text, for messages."},
    {"Watch", VARLINK_MORE, NULL, &watch_out,
     "All containers, as List has them, then an answer with complete, then events of our containers; such an "
     "event may come before the answer with complete."},
    {.name = NULL},
};
const struct varlink_interface container_driver_interface = {
    "io.hostlet.ContainerDriver",
    "Containers by replica, on one container runtime. Containers that neither carry the label of this "
    "tree nor were adopted are never touched.",
    methods, NULL};
