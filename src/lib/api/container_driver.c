/* Implements container_driver.h: declares io.hostlet.ContainerDriver. */
#include "lib/api/container_driver.h"

#include "lib/api/declare.h"

static const char *const slot_names[] = {"current", "old", "aside", NULL};
const struct schema_enum driver_slot_enum = {
    "Slot",
    "current: the container i8k_INSTANCE_ID. old: the previous "
    "container, which a switch renames to i8k_INSTANCE_ID.old. aside: "
    "i8k_INSTANCE_ID.aside, a name that no replica needs.",
    slot_names};
static const char *const state_names[] = {"missing", "created",  "running", "paused", "restarting",
                                          "exited",  "removing", "dead",    NULL};
const struct schema_enum driver_state_enum = {
    "State",
    "The state of a container. paused: its processes are frozen. dead: the runtime failed to remove it. "
    "missing: no such container exists.",
    state_names};
static const char *const restart_names[] = {"no", "always", NULL};
const struct schema_enum driver_restart_enum = {"Restart", "The runtime's own restart policy.",
                                                restart_names};
static const char *const runtime_state_names[] = {"unknown", "up", "down", NULL};
const struct schema_enum driver_runtime_state_enum = {
    "RuntimeState", "The state of the runtime as of the last request.", runtime_state_names};

#define REPLICA(T) S_STRING(T, instance, "The name of the instance."), S_INT(T, replica_id, "0 to 127.")

#define T struct driver_info_out
STRUCT_EXPORTED(driver_info_schema, "RuntimeInfo", T, "A container runtime.",
                S_STRING(T, runtime, "docker or null."), S_ENUM(T, state, &driver_runtime_state_enum, NULL),
                S_STRING_OPT(T, reason, "Why the runtime is down."), S_STRING_OPT(T, version, NULL),
                S_STRING_OPT(T, api_version, NULL), S_STRING_OPT(T, storage_driver, NULL),
                S_STRING_OPT(T, arch, "The architecture of containers: amd64 or arm64."),
                S_INT_OPT(T, cpus, NULL), S_INT_OPT(T, memory, "Bytes."),
                S_INT_OPT(T, containers, "The number of all containers of the runtime."),
                S_INT_OPT(T, images, "The number of all images of the runtime."),
                S_BOOL_OPT(T, live_restore, "Containers keep running while the runtime restarts."),
                S_BOOL_OPT(T, layer_limit, "The runtime can limit writable layers."),
                S_STRING_OPT(T, seccomp,
                             "The seccomp profile of new containers: hostlet, the path of a file, runtime "
                             "(the runtime's own) or none; absent: not known."),
                S_STRING_OPT(T, seccomp_reason, "Why the seccomp profile is not the configured one."),
                S_STRING_OPT(T, adopted_reason,
                             "Why hostlet does not manage containers of the original agent; absent: hostlet "
                             "manages the adopted ones."));
#undef T
#define T struct driver_image_in
STRUCT(image_in, NULL, T, NULL, S_STRING(T, reference, "NAME, NAME:TAG, NAME@DIGEST or an id."));
#undef T
#define T struct driver_image
STRUCT_EXPORTED(driver_image_schema, "Image", T, "An image of the runtime.", S_STRING(T, id, NULL),
                S_STRINGS(T, tags, NULL), S_STRINGS(T, digests, NULL), S_INT_OPT(T, size, "Bytes."),
                S_STRING_OPT(T, user, NULL), S_STRINGS(T, entrypoint, NULL), S_STRINGS(T, command, NULL),
                S_STRINGS(T, volumes, "The image's VOLUMEs, as it declares them."));
#undef T
#define T struct driver_image_list_out
STRUCT(image_out, NULL, T, NULL,
       S_STRUCT_OPT(T, image, struct driver_image, &driver_image_schema,
                    "Absent in the reply that ends a list."));
#undef T
#define T struct driver_pull_out
STRUCT(pull_out, NULL, T, NULL, S_STRING_OPT(T, status, "The current activity, for a human."),
       S_INT_OPT(T, done, "Bytes of the layers known so far."),
       S_INT_OPT(T, total, "Bytes of the layers known so far."),
       S_STRING_OPT(T, id, "The image's id; only in the final reply."),
       S_STRINGS(T, volumes, "The image's VOLUMEs, as it declares them; only in the final reply."));
#undef T
#define T struct driver_port
STRUCT_EXPORTED(driver_port_schema, "Port", T, "A published port.",
                S_INT(T, port, "The port inside the container."),
                S_INT(T, host_port, "The port of the machine."),
                S_ENUM_OPT(T, protocol, &app_protocol_enum, "Absent: tcp."),
                S_STRING_OPT(T, host_address, "The machine's address; absent: all IPv4 addresses."));
#undef T
#define T struct driver_package
STRUCT(package, "Package", T, "A package's install directory, mounted read-only at /usr/innerstack/NAME.",
       S_STRING(T, name, NULL), S_STRING(T, id, NULL));
#undef T
#define T struct driver_create_in
STRUCT_EXPORTED(
    driver_create_schema, NULL, T, NULL, REPLICA(T),
    S_INT(T, revision, "Stored as a label of the container."),
    S_STRING(T, config, "A hash of the container's definition; stored as a label of the container."),
    S_STRING(T, image, "The reference or id of an image that is present."),
    S_STRING(T, host_id, "The value of APP_HOST_ID."), S_ENUM(T, init, &app_init_enum, NULL),
    S_STRINGS(T, command, "Only with init = image: replaces the image's own command."),
    S_STRING_MAP(T, env, "Environment variables, in addition to those that the contract defines."),
    S_INT_OPT(T, cpu_limit, "Millicores."), S_INT_OPT(T, memory_limit, "Bytes."),
    S_INT_OPT(T, pids_limit, NULL), S_INT_OPT(T, stop_timeout_msec, NULL),
    S_INT_OPT(T, probation_msec, "The driver passes it to inagent."),
    S_STRUCTS(T, ports, struct driver_port, &driver_port_schema, NULL),
    S_STRUCTS(T, packages, struct driver_package, &package, NULL),
    S_STRING_OPT(T, vpc_ipv4,
                 "The container's fixed address in the zone's network; absent: the container is in the "
                 "runtime's default network."),
    S_STRING_OPT(T, vpc_cidr,
                 "The zone's network on this machine, such as 10.10.3.0/24; only with vpc_ipv4."),
    S_INT_OPT(T, vpc_mtu, "Of that network, if it is made. Absent: the runtime's default."),
    S_BOOL_OPT(T, vpc_masqueraded,
               "If that network is made, the runtime does not masquerade what leaves it: a rule of "
               "net-keeper does so for destinations outside of the zone's network."),
    S_STRINGS(T, capabilities,
              "Capabilities of Docker's default set, such as NET_RAW, in addition to those that every "
              "container has."),
    S_BOOL_OPT(T, read_only,
               "The container's root file system is read-only; /tmp and /run are empty and in memory."),
    S_BOOL_OPT(T, no_new_privileges, NULL),
    S_STRINGS(
        T, volumes,
        "Paths in the container at which a volume of the replica's directory is mounted: all VOLUMEs of "
        "the image, and further ones. Their directories must exist."));
#undef T
#define T struct driver_check_network_in
STRUCT(check_network_in, NULL, T, NULL, S_STRING(T, cidr, "Such as 10.10.3.0/24."));
#undef T
#define T struct driver_network
STRUCT(network, "Network", T,
       "The zone's network as it exists. Only a network that is made anew gets other options.",
       S_INT(T, mtu, NULL),
       S_BOOL(T, masquerades,
              "The runtime masquerades what leaves the network, so that other machines see this machine's "
              "address in place of the container's."),
       S_BOOL(T, closed, "The runtime drops packets that other machines send to the containers."));
#undef T
#define T struct driver_check_network_out
STRUCT(check_network_out, NULL, T, NULL,
       S_STRING_OPT(T, problem,
                    "Why the network cannot be made: which route or address of this machine overlaps with "
                    "the range; absent: it can be made."),
       S_STRUCT_OPT(T, network, struct driver_network, &network,
                    "Absent: the network does not exist with this range."));
#undef T
#define T struct driver_create_out
STRUCT(create_out, NULL, T, NULL, S_STRING(T, id, NULL),
       S_BOOL_OPT(T, layer_unlimited, "The storage driver cannot limit the writable layer."));
#undef T
#define T struct driver_replica_in
STRUCT(replica_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_STRING_OPT(T, id,
                    "Selects the container with this id, whatever its name is, in place of the slot. It must "
                    "carry the labels of the replica."));
#undef T
#define T struct driver_volume
STRUCT(volume, "AnonymousVolume", T,
       "A volume that the runtime made for a container, and that it removes with the container.",
       S_STRING(T, path, "In the container."), S_STRING(T, name, "In the runtime."));
#undef T
#define T struct driver_container
STRUCT_EXPORTED(
    driver_container_schema, "Container", T, "The actual state of a container whose name has hostlet's form.",
    S_STRING(T, id, NULL), S_STRING(T, name, NULL), S_STRING(T, instance, NULL), S_INT(T, replica_id, NULL),
    S_ENUM(T, slot, &driver_slot_enum, NULL),
    S_BOOL(T, ours, "The container carries this tree's label, or is adopted, and is not misnamed."),
    S_BOOL_OPT(T, misnamed,
               "The container's labels name another replica than its name does: another program renamed it."),
    S_BOOL_OPT(T, adopted,
               "The original agent made the container; its definition is not compared with the desired one."),
    S_BOOL_OPT(T, unsure, "The container is adopted, and only its tenant states 'revision'."),
    S_STRING_OPT(T, owner, "What a container that is not 'ours' is, for a human."),
    S_STRING_OPT(T, tree, "The id of the other tree whose label the container carries; absent: none."),
    S_BOOL_OPT(T, adoptable,
               "The original agent made the container for this replica: Adopt makes it 'ours'."),
    S_STRING_OPT(T, misfit, "Why a container that is not 'ours' is not adoptable either, for a human."),
    S_ENUM(T, state, &driver_state_enum, NULL),
    S_STRING_OPT(T, image, "The reference from which the container was created."),
    S_STRING_OPT(T, image_id, NULL), S_INT_OPT(T, revision, NULL), S_STRING_OPT(T, config, NULL),
    S_ENUM(T, restart, &driver_restart_enum, NULL), S_INT(T, exit_code, NULL),
    S_STRING_OPT(T, error,
                 "The runtime's reason why the container did not start, or why it could not be removed."),
    S_BOOL_OPT(T, oom_killed, NULL), S_INT_OPT(T, started_at, "Unix milliseconds."),
    S_INT_OPT(T, finished_at, "Unix milliseconds."), S_INT_OPT(T, restart_count, NULL),
    S_INT_OPT(T, cpu_limit, "Millicores; absent: no limit."),
    S_INT_OPT(T, memory_limit, "Bytes; absent: no limit."), S_INT_OPT(T, pids_limit, "Absent: no limit."),
    S_BOOL_OPT(T, cpu_limit_lost,
               "The runtime starts the container without its CPU limit, and cannot set it again."),
    S_INT_OPT(T, layer_limit, "Bytes of the writable layer; absent: no limit."),
    S_INT_OPT(T, stop_timeout_msec, "The container's own time-out; absent: the runtime's default."),
    S_STRUCTS(T, ports, struct driver_port, &driver_port_schema,
              "The published ports, as the runtime bound them."),
    S_STRING_OPT(
        T, vpc_ipv4,
        "The container's configured address in the zone's network, also while the container does not run."),
    S_STRING_OPT(T, home, "The directory of this machine that is mounted at /home; absent: none."),
    S_BOOL_OPT(T, agent_socket, "The container has the directory of the agents' socket."),
    S_BOOL_OPT(T, lxcfs, "The container has the mounts of lxcfs."),
    S_BOOL_OPT(T, lxcfs_differs, "A new container would differ in 'lxcfs'."),
    S_STRINGS(T, volumes, "Paths at which the container has volumes of the replica's directory."),
    S_STRUCTS(T, anonymous_volumes, struct driver_volume, &volume, NULL));
#undef T
#define T struct driver_volumes_in
STRUCT(volumes_in, NULL, T, NULL, REPLICA(T));
#undef T
#define T struct driver_remove_in
STRUCT(remove_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_STRING_OPT(T, id, "As in the other methods."),
       S_BOOL_OPT(T, keep_volumes, "The container's anonymous volumes stay in the runtime."));
#undef T
#define T struct driver_copy_in
STRUCT(copy_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_STRINGS(T, volumes, "Paths in the container, of anonymous volumes of it."));
#undef T
#define T struct driver_inspect_out
STRUCT(inspect_out, NULL, T, NULL,
       S_STRUCT_OPT(T, container, struct driver_container, &driver_container_schema,
                    "Absent: no such container exists; in List: the list ends."));
#undef T
#define T struct driver_stop_in
STRUCT(stop_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_INT_OPT(T, timeout_msec, "The time before SIGKILL; absent: the container's own time-out."));
#undef T
#define T struct driver_adopt_in
STRUCT(adopt_in, NULL, T, NULL, REPLICA(T),
       S_INT(T, revision, "The revision that the original agent applied last."),
       S_BOOL_OPT(T, unsure, "Only the container's tenant, who can write app_replica.json, states it."));
#undef T
#define T struct driver_rename_in
STRUCT(rename_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, from, &driver_slot_enum, NULL),
       S_ENUM(T, to, &driver_slot_enum, NULL), S_STRING_OPT(T, id, "As for Inspect, in place of 'from'."));
#undef T
#define T struct driver_restart_in
STRUCT(restart_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_ENUM(T, policy, &driver_restart_enum, NULL));
#undef T
#define T struct driver_limits_in
STRUCT_EXPORTED(driver_limits_schema, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
                S_INT_OPT(T, cpu_limit, "Millicores; absent: no limit."),
                S_INT_OPT(T, memory_limit, "Bytes; absent: no limit."),
                S_INT_OPT(T, pids_limit, "Absent: no limit."));
#undef T
#define T struct driver_usage_out
STRUCT_EXPORTED(driver_usage_schema, NULL, T, NULL,
                S_INT_OPT(T, memory, "Bytes that the kernel cannot reclaim: without the file cache."),
                S_INT_OPT(T, pids, NULL));
#undef T
#define T struct driver_logs_in
STRUCT(logs_in, NULL, T, NULL, REPLICA(T), S_ENUM(T, slot, &driver_slot_enum, NULL),
       S_BOOL_OPT(T, follow, NULL), S_INT_OPT(T, since, "Unix milliseconds."),
       S_INT_OPT(T, tail, "The number of the last lines; absent: all."));
#undef T
#define T struct driver_tail_out
STRUCT(tail_out, NULL, T, NULL, S_STRINGS(T, lines, "The last lines of both streams, without line ends."));
#undef T
#define T struct driver_event
STRUCT_EXPORTED(driver_event_schema, "Event", T,
                "An event of a container that carries the labels of this tree, or is adopted.", REPLICA(T),
                S_ENUM(T, slot, &driver_slot_enum, NULL), S_STRING_OPT(T, id, "The container's id."),
                S_STRING(T, action,
                         "The runtime's name of the event, such as create, start, die, destroy or rename."),
                S_INT_OPT(T, exit_code, NULL));
#undef T
#define T struct driver_watch_out
STRUCT(
    watch_out, NULL, T, NULL,
    S_STRUCT_OPT(T, container, struct driver_container, &driver_container_schema,
                 "An item of the snapshot, as List returns it."),
    S_STRUCT_OPT(T, event, struct driver_event, &driver_event_schema,
                 "A change: only Inspect shows the container's actual state."),
    S_BOOL_OPT(T, complete, "The snapshot ends; events follow."),
    S_STRING_OPT(
        T, lost,
        "Why no events arrive from the runtime. A new snapshot follows in this stream when they do again."));
#undef T

static const struct varlink_method methods[] = {
    {"Info", 0, NULL, &driver_info_schema, "Returns the runtime and its state."},
    {"ImageInspect", 0, &image_in, &image_out,
     "Returns an image that is present. NotFound: the image is not present."},
    {"ImageList", VARLINK_MORE, NULL, &image_out, "Returns all images, one in each reply."},
    {"ImagePull", VARLINK_MORE | VARLINK_CHANGES, &image_in, &pull_out,
     "Pulls an image. The replies are a stream of progress."},
    {"List", VARLINK_MORE, NULL, &inspect_out,
     "Returns all containers whose names have hostlet's form, also those of other programs, one in each "
     "reply."},
    {"ListMisnamed", VARLINK_MORE, NULL, &inspect_out,
     "Returns the containers that carry the labels app_name and app_rep_id of the contract and no tree's "
     "label, under names without hostlet's form, one in each reply. Only id, name, instance (the label "
     "app_name), state and misfit are set."},
    {"Inspect", 0, &replica_in, &inspect_out,
     "Returns the actual state of one container. With an id, a container that does not carry the labels of "
     "the replica is absent."},
    {"CheckNetwork", 0, &check_network_in, &check_network_out,
     "Reports whether the zone's network can be made with this range, or exists with it. Changes nothing."},
    {"Create", VARLINK_CHANGES, &driver_create_schema, &create_out,
     "Creates the container of a replica, with the restart policy no. Succeeds when the container exists and "
     "was created from the same config. Conflict: another object has its name, or that of one of its "
     "volumes."},
    {"Start", VARLINK_CHANGES, &replica_in, NULL, "Starts a container. Succeeds when it runs already."},
    {"Stop", VARLINK_CHANGES, &stop_in, NULL,
     "Stops a container. Succeeds when it does not run or does not exist."},
    {"Adopt", VARLINK_CHANGES, &adopt_in, &inspect_out,
     "Adopts a container of the original agent, without changing it, when an administrator asks for it. "
     "Conflict: the container carries another tree's label. Refused: it was made by this tree, or its labels "
     "are not those that the original agent gives to this replica's container."},
    {"Rename", VARLINK_CHANGES, &rename_in, NULL, "Moves a container between the slots of its replica."},
    {"Remove", VARLINK_CHANGES, &remove_in, NULL,
     "Removes a container, also while it runs. Succeeds when it does not exist."},
    {"CopyVolumes", VARLINK_CHANGES, &copy_in, NULL,
     "Copies what a container that is down has in anonymous volumes into directories beside the volumes of "
     "the "
     "replica, which the provisioner's BeginCopy made. A container of its own makes the copy, so that no "
     "process "
     "of the tree needs a right for it. The reply arrives when everything is on the disk. If the caller "
     "hangs up, "
     "the copy ends."},
    {"RemoveVolumes", VARLINK_CHANGES, &volumes_in, NULL,
     "Removes the volumes of a replica that no container uses from the runtime. What is in them is in the "
     "replica's directory, and stays there. Succeeds when there is none."},
    {"SetRestart", VARLINK_CHANGES, &restart_in, NULL,
     "Sets the restart policy of a container in the runtime."},
    {"SetLimits", VARLINK_CHANGES, &driver_limits_schema, NULL,
     "Sets the limits of a container, also while it runs, without a restart. Refused: the container uses "
     "more "
     "memory or has more processes than that; nothing is changed then."},
    {"Usage", 0, &replica_in, &driver_usage_schema,
     "Returns what a container uses at present; nothing if it does not run. NotFound: no such container "
     "exists."},
    {"Logs", VARLINK_UPGRADE, &logs_in, NULL,
     "Sends the container's output as raw frames: one byte for the stream (1: standard output, 2: standard "
     "error, 3: a message of the driver when the log ends early), three zero bytes, the length of the data "
     "in four bytes (big-endian), the data."},
    {"Tail", 0, &logs_in, &tail_out,
     "Returns the last lines of the container's output as text, for use in messages."},
    {"Watch", VARLINK_MORE, NULL, &watch_out,
     "Sends a snapshot (all containers, as List returns them), a reply with complete, and then the events of "
     "this tree's containers. An event can also arrive before the reply with complete."},
    {.name = NULL},
};
const struct varlink_interface container_driver_interface = {
    "io.hostlet.ContainerDriver",
    "Manages the containers of replicas in one container runtime. The driver never changes a container that "
    "neither carries this tree's label nor is adopted.",
    methods, NULL};
