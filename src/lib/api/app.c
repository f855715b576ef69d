/* Implements app.h: the schemas of the contract's application messages. Their comments are part of the served
 * interfaces. */
#include "lib/api/app.h"

#include "lib/api/declare.h"

#define T struct app_metadata
STRUCT(metadata_schema, "Metadata", T, "Identity of an object of the zone.", S_STRING_OPT(T, id, NULL),
       S_STRING_OPT(T, name, "The instance's name."), S_STRING_OPT(T, user, NULL),
       S_INT_OPT(T, created, NULL), S_INT_OPT(T, updated, NULL), S_INT_OPT(T, version, NULL));
#undef T
#define T struct app_resources
STRUCT(resources_schema, "AppSpecResources", T, "Limits, in the form in which the author wrote them.",
       S_STRING_OPT(T, cpu_limit, "Such as 500m."), S_STRING_OPT(T, memory_limit, "Such as 512Mi."),
       S_STRING_OPT(T, volume_limit, "Such as 10Gi."));
#undef T
#define T struct app_name_version
STRUCT(name_version_schema, "AppSpecNameVersion", T,
       "A package or another application, by name and version rule.", S_STRING_OPT(T, name, NULL),
       S_STRING_OPT(T, version, "One or two parts match as a prefix."));
#undef T
#define T struct app_spec_port
STRUCT(spec_port_schema, "AppSpecServicePort", T, "A TCP port on which the application listens.",
       S_STRING_OPT(T, name, NULL), S_INT_OPT(T, port, "The port inside the container."));
#undef T
static const char *const ready_names[] = {NULL, "notify", NULL};
const struct schema_enum app_ready_enum = {
    "Ready", "How an application shows that it is ready. notify: it sends READY=1 (sd_notify).", ready_names};
#define T struct app_task
STRUCT(
    task_schema, "AppSpecTask", T, "A script that inagent runs in the container.",
    S_STRING_OPT(T, name, NULL), S_STRING_OPT(T, working_dir, NULL), S_STRING_OPT(T, run_user, NULL),
    S_STRINGS(T, depends_on, "Names of the tasks that must succeed first."), S_BOOL_OPT(T, on_startup, NULL),
    S_BOOL_OPT(T, on_shutdown, NULL), S_INT_OPT(T, interval_seconds, NULL), S_STRING_OPT(T, cron, NULL),
    S_INT_OPT(T, max_attempts, NULL), S_INT_OPT(T, retry_backoff_seconds, NULL),
    S_STRING_OPT(T, script, "The script: inagent passes it to sh as standard input."),
    S_INT_OPT(
        T, timeout,
        "Hostlet's own, as the next three: a zone's orders have none of them. Seconds after which a run is "
        "ended and has failed; absent: never."),
    S_ENUM_OPT(T, ready, &app_ready_enum, "Absent: the task shows nothing."),
    S_INT_OPT(T, ready_timeout,
              "Seconds from the container's start until it must be ready; absent: 90. Only with 'ready'."),
    S_INT_OPT(T, watchdog,
              "Seconds after which the task is restarted if it sends no WATCHDOG=1; absent: never. Only with "
              "'ready'."));
#undef T

#define T struct app_config_field
static const struct schema_struct config_field_schema;
STRUCT(config_field_schema, "AppSpecConfigItem", T, "A setting that the application accepts.",
       S_STRING_OPT(T, name, NULL), S_STRING_OPT(T, title, NULL), S_STRING_OPT(T, prompt, NULL),
       S_STRING_OPT(T, type, NULL), S_NAMED_STRING_OPT(T, standard, "default", NULL),
       S_STRING_OPT(T, auto_fill, NULL), S_STRING_OPT(T, description, NULL),
       S_STRUCTS(T, items, struct app_config_field, &config_field_schema, NULL));
#undef T

#define T struct app_spec
STRUCT_EXPORTED(app_spec_schema, "AppSpec", T, "The specification of an application, as its author wrote it.",
                S_STRING_OPT(T, name, NULL), S_STRING_OPT(T, version, NULL),
                S_STRING_OPT(T, description, NULL),
                S_STRING_OPT(T, image, "The reference of the container's image."),
                S_STRUCT_OPT(T, resources, struct app_resources, &resources_schema, NULL),
                S_STRUCTS(T, depends, struct app_name_version, &name_version_schema, NULL),
                S_STRUCTS(T, service_depends, struct app_name_version, &name_version_schema, NULL),
                S_STRUCTS(T, service_ports, struct app_spec_port, &spec_port_schema, NULL),
                S_STRUCTS(T, packages, struct app_name_version, &name_version_schema, NULL),
                S_STRUCTS(T, configs, struct app_config_field, &config_field_schema, NULL),
                S_STRUCTS(T, tasks, struct app_task, &task_schema, NULL));
#undef T

#define T struct app_config_value
STRUCT_EXPORTED(app_config_value_schema, "AppDeployConfigItem", T, "The value of a setting.",
                S_STRING_OPT(T, name, NULL), S_STRING_OPT(T, value, NULL), S_STRING_OPT(T, type, NULL),
                S_STRUCTS(T, items, struct app_config_value, &app_config_value_schema, NULL));
#undef T
static const char *const protocol_names[] = {NULL, "tcp", "udp", NULL};
const struct schema_enum app_protocol_enum = {"Protocol", "The protocol of a port.", protocol_names};
#define T struct app_service_port
STRUCT_EXPORTED(app_service_port_schema, "AppDeployServicePort", T,
                "The addresses at which one port of a replica is reached. The members from 'protocol' on are "
                "hostlet's own: app_replica.json and a zone's orders have none of them.",
                S_STRING_OPT(T, name, NULL), S_INT_OPT(T, port, "The port inside the container."),
                S_INT_OPT(T, host_port, "The port of the machine."), S_STRING_OPT(T, lan_addr, NULL),
                S_ENUM_OPT(T, protocol, &app_protocol_enum, "Absent: tcp."),
                S_STRING_OPT(T, host_address, "The machine's address; absent: all IPv4 addresses."),
                S_INT_OPT(T, host_port_last,
                          "In a manifest: the port of the machine is a free one from host_port to this one; "
                          "absent: it is host_port."));
#undef T
#define T struct app_replica
STRUCT_EXPORTED(app_replica_schema, "AppDeployReplica", T, "One replica of an instance.",
                S_INT_OPT(T, id, "0 to 127."), S_STRING_OPT(T, host_id, NULL), S_STRING_OPT(T, state, NULL),
                S_STRING_OPT(T, vpc_ipv4, NULL),
                S_STRUCTS(T, service_ports, struct app_service_port, &app_service_port_schema, NULL),
                S_STRING_OPT(T, host_ipv4, NULL));
#undef T
#define T struct app_depend
STRUCT(depend_schema, "AppDeployDepend", T, "An instance that this one depends on.",
       S_STRING_OPT(T, spec_name, NULL), S_STRING_OPT(T, instance_name, NULL),
       S_STRUCTS(T, configs, struct app_config_value, &app_config_value_schema, NULL),
       S_STRUCTS(T, replicas, struct app_replica, &app_replica_schema, NULL));
#undef T

static const char *const action_names[] = {
    [APP_ACTION_START] = "start",
    [APP_ACTION_STOP] = "stop",
    [APP_ACTION_DESTROY] = "destroy",
    [APP_ACTION_NONE] = "none",
    NULL,
};
const struct schema_enum app_action_enum = {
    "Action", "What is desired of a whole instance; none: the instance stays as it is.", action_names};
static const char *const stage_names[] = {
    [STAGE_HOST_RECV] = "host_recv",
    [STAGE_IMAGE_PULL] = "image_pull",
    [STAGE_PKG_DOWNLOAD] = "pkg_download",
    [STAGE_PROVISION] = "provision",
    [STAGE_CONTAINER_CREATE] = "container_create",
    [STAGE_CONTAINER_START] = "container_start",
    [STAGE_CONTAINER_RUNNING] = "container_running",
    [STAGE_CONTAINER_STOP] = "container_stop",
    [STAGE_CONTAINER_DESTROY] = "container_destroy",
    [STAGE_INAGENT_BOOT] = "inagent_boot",
    [STAGE_SPEC_LOAD] = "spec_load",
    [STAGE_TASK_RUN] = "task_run",
    [_STAGE_MAX] = NULL,
};
const struct schema_enum app_stage_name_enum = {"StageName", "A stage of a deploy.", stage_names};
static const char *const stage_state_names[] = {
    [STAGE_PENDING] = "pending",
    [STAGE_RUNNING] = "running",
    [STAGE_SUCCESS] = "success",
    [STAGE_FAILED] = "failed",
    NULL,
};
const struct schema_enum app_stage_state_enum = {"StageState", "The state of a stage.", stage_state_names};

#define T struct app_stage
STRUCT_EXPORTED(
    app_stage_schema, "AppDeployStage", T, "One stage of a deploy.",
    S_STRING_OPT(T, name, "image_pull, pkg_download, provision, container_create, …"),
    S_STRING_OPT(T, owner, "The program that owns the stage: hostlet or inagent."),
    S_INT_OPT(T, revision, NULL), S_STRING_OPT(T, state, "One of pending, running, success and failed."),
    S_INT_OPT(T, attempt, "Counts from 0."), S_STRING_MAP(T, attrs, NULL), S_STRING_OPT(T, message, NULL),
    S_INT_OPT(T, created, "Unix milliseconds of the first attempt's begin, as the zone knows it."),
    S_INT_OPT(T, begun, "Unix milliseconds of the present attempt's begin; absent: created."),
    S_INT_OPT(T, finished, "Unix milliseconds; absent while the stage has not finished."),
    S_STRUCTS(T, stages, struct app_stage, &app_stage_schema, NULL));
#undef T

static const char *const task_state_names[] = {
    [TASK_STATE_PENDING] = "pending", [TASK_STATE_RUNNING] = "running", [TASK_STATE_SUCCEEDED] = "succeeded",
    [TASK_STATE_FAILED] = "failed",   [TASK_STATE_DELAYED] = "delayed", NULL,
};
const struct schema_enum app_task_state_enum = {"TaskState", "The state of a task.", task_state_names};
static const char *const task_trigger_names[] = {
    [TASK_TRIGGER_ON_SHUTDOWN] = "on_shutdown",
    [TASK_TRIGGER_ON_STARTUP] = "on_startup",
    [TASK_TRIGGER_INTERVAL] = "interval_seconds",
    [TASK_TRIGGER_CRON] = "cron",
    NULL,
};
const struct schema_enum app_task_trigger_enum = {"TaskTrigger", "What starts a task.", task_trigger_names};

static const char *const request_state_names[] = {
    [TASK_REQUEST_RUNNING] = "running",         [TASK_REQUEST_SUCCEEDED] = "succeeded",
    [TASK_REQUEST_FAILED] = "failed",           [TASK_REQUEST_REFUSED] = "refused",
    [TASK_REQUEST_INTERRUPTED] = "interrupted", NULL,
};
const struct schema_enum app_request_state_enum = {"RequestState", "What became of a request to run a task.",
                                                   request_state_names};

#define T struct app_task_status
STRUCT_EXPORTED(
    app_task_status_schema, "TaskStatus", T, "The state of a task, as inagent reports it.",
    S_STRING_OPT(T, name, NULL),
    S_STRING_OPT(T, trigger, "One of on_shutdown, on_startup, interval_seconds and cron; absent: none."),
    S_STRING_OPT(
        T, state,
        "One of pending, running, succeeded, failed and delayed, which is a failure that is retried."),
    S_INT_OPT(T, started, "Unix milliseconds at which the last run began."),
    S_INT_OPT(T, finished, "Unix milliseconds at which the last run that ended did."),
    S_INT_OPT(T, exit_code, "Of that run; absent: 0. 128 and the signal's number, if a signal ended it."),
    S_INT_OPT(T, next,
              "Unix milliseconds of the next run; absent: none is planned, or its time is not known."),
    S_INT_OPT(T, runs, "Runs that have begun, also before a restart of the container."),
    S_STRING_OPT(T, message, "Why it failed, or does not run."),
    S_STRING_OPT(T, request, "The id of the last request to run it (RunTask) that inagent has decided."),
    S_STRING_OPT(T, request_state,
                 "What became of that request: one of running, succeeded, failed, refused and interrupted."),
    S_INT_OPT(T, request_exit_code, "Of that request's run; absent: 0, or it has not ended."),
    S_STRING_OPT(T, request_message, "Why that request was refused or interrupted."));
#undef T

#define T struct app_deploy
STRUCT_EXPORTED(app_deploy_schema, "AppDeploy", T, "The desired state of an instance.",
                S_STRING_OPT(T, action, "One of start, stop and destroy; absent: start."),
                S_INT_OPT(T, revision, NULL), S_INT_OPT(T, cpu_limit, "Millicores."),
                S_INT_OPT(T, memory_limit, "Bytes."), S_INT_OPT(T, volume_limit, "Bytes."),
                S_STRUCTS(T, configs, struct app_config_value, &app_config_value_schema, NULL),
                S_INT_OPT(T, replica_cap, NULL),
                S_STRUCTS(T, replicas, struct app_replica, &app_replica_schema, NULL),
                S_STRUCTS(T, depends, struct app_depend, &depend_schema, NULL),
                S_STRUCT_OPT(T, stages, struct app_stage, &app_stage_schema, NULL));
#undef T
#define T struct app_status
STRUCT_EXPORTED(app_status_schema, "AppStatus", T, NULL, S_STRING_OPT(T, id, NULL));
#undef T
#define T struct app_instance
STRUCT_EXPORTED(app_instance_schema, "AppInstance", T,
                "An instance of an application, as the InnerStack contract defines it.",
                S_STRUCT_OPT(T, meta, struct app_metadata, &metadata_schema, NULL),
                S_STRUCT_OPT(T, spec, struct app_spec, &app_spec_schema, NULL),
                S_STRUCT_OPT(T, deploy, struct app_deploy, &app_deploy_schema, NULL),
                S_INT_OPT(T, revision, NULL), S_STRINGS(T, ref_by_instances, NULL),
                S_STRUCT_OPT(T, status, struct app_status, &app_status_schema, NULL));
#undef T
#define T struct app_status_endpoint
STRUCT(endpoint_schema, "HostletStatusEndpoint", T, "The address to which inagent sends its reports.",
       S_STRING_OPT(T, url, NULL), S_STRING_OPT(T, secret_key, NULL));
#undef T
#define T struct app_replica_instance
STRUCT_EXPORTED(app_replica_instance_schema, "AppReplicaInstance", T, "The content of app_replica.json.",
                S_STRUCT_OPT(T, app, struct app_instance, &app_instance_schema, NULL),
                S_STRUCT_OPT(T, replica, struct app_replica, &app_replica_schema, NULL),
                S_STRING_OPT(T, zone_base_domain, NULL),
                S_STRUCT_OPT(T, hostlet_endpoint, struct app_status_endpoint, &endpoint_schema, NULL));
#undef T

static const char *const init_names[] = {NULL, "inagent", "image", NULL};
const struct schema_enum app_init_enum = {
    "Init",
    "inagent: the container runs inagent, as the contract defines. image: the container runs the image's own "
    "entrypoint as the image's own user.",
    init_names};
static const char *const pull_names[] = {NULL, "missing", "always", "never", NULL};
const struct schema_enum app_pull_enum = {
    "Pull",
    "When the image is pulled. missing: only when it is not present. always: once for each revision. "
    "never: an image that is not present is an error.",
    pull_names};

const char *const app_capability_names[] = {
    "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",     "MKNOD", "NET_RAW",     "SETGID", "SETUID",
    "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",  "AUDIT_WRITE", NULL};

#define T struct app_options
STRUCT_EXPORTED(
    app_options_schema, "Options", T, "Options of a manifest's table [hostlet].",
    S_ENUM_OPT(T, init, &app_init_enum, "Absent: inagent."),
    S_STRINGS(T, command, "Only with init = image: replaces the image's own command."),
    S_ENUM_OPT(T, pull, &app_pull_enum, "Absent: missing."),
    S_STRING_MAP(T, env,
                 "Environment variables of the container, in addition to those that the contract defines."),
    S_INT_OPT(T, pids_limit, "Absent: 100 with inagent, 1000 with image."),
    S_INT_OPT(T, stop_timeout_msec, "Absent: the configured time-out."),
    S_BOOL_OPT(T, probation_given, "True when probation_msec is set, also to 0."),
    S_INT_OPT(T, probation_msec, NULL),
    S_INT_OPT(T, parallel, "The number of replicas that are updated at once; absent: the configured number."),
    S_STRINGS(T, capabilities,
              "Capabilities of Docker's default set, such as NET_RAW, in addition to those that every "
              "container has."),
    S_BOOL_OPT(T, read_only,
               "The container's root file system is read-only; /tmp and /run are empty and in memory."),
    S_BOOL_OPT(T, no_new_privileges, "Set-user-id programs and file capabilities give no privileges."),
    S_STRINGS(T, volumes,
              "Paths of the container whose content is data of the replica, in addition to the image's "
              "VOLUMEs."));
#undef T
#define T struct app_manifest
STRUCT_EXPORTED(app_manifest_schema, "Manifest", T, "The desired state of one instance on this machine.",
                S_STRUCT(T, app, struct app_instance, &app_instance_schema,
                         "The instance. Of its members, apply reads the name, the spec, limits, configs, the "
                         "action, replica ids and host ports."),
                S_STRUCT_OPT(T, hostlet, struct app_options, &app_options_schema, NULL));
#undef T
