/* Declares the messages of the InnerStack contract (section 3) that describe applications, in the JSON form
 * of files and manifests (snake_case names, zero values omitted), and the options that hostlet adds to a
 * manifest. */
#pragma once

#include "lib/schema/schema.h"

struct app_metadata {
    char *id, *name, *user;
    int64_t created, updated, version;
};

struct app_resources {
    char *cpu_limit, *memory_limit, *volume_limit; /* "500m", "512Mi", "10Gi" */
};

struct app_name_version { /* AppSpecPackage, AppSpecDepend */
    char *name, *version;
};

struct app_spec_port {
    char *name;
    int64_t port;
};

/* How an application shows that it is ready; hostlet's addition to the contract. */
enum app_ready { APP_READY_NONE, APP_READY_NOTIFY };

struct app_task {
    char *name, *working_dir, *run_user;
    char **depends_on;
    size_t n_depends_on;
    bool on_startup, on_shutdown;
    int64_t interval_seconds;
    char *cron;
    int64_t max_attempts, retry_backoff_seconds;
    char *script;
    /* Hostlet's additions: manifests, records and app_replica.json have them, a zone's orders have none. */
    int64_t timeout;                 /* seconds that each run may take; 0: without limit */
    int ready;                       /* enum app_ready */
    int64_t ready_timeout, watchdog; /* seconds; 0: not given (the normal form has a ready_timeout); none */
};

struct app_config_field { /* AppSpecConfigItem */
    char *name, *title, *prompt, *type, *standard /* "default" */, *auto_fill, *description;
    struct app_config_field **items;
    size_t n_items;
};

struct app_spec {
    char *name, *version, *description, *image;
    struct app_resources *resources;
    struct app_name_version **depends, **service_depends, **packages;
    size_t n_depends, n_service_depends, n_packages;
    struct app_spec_port **service_ports;
    size_t n_service_ports;
    struct app_config_field **configs;
    size_t n_configs;
    struct app_task **tasks;
    size_t n_tasks;
};

struct app_config_value { /* AppDeployConfigItem */
    char *name, *value, *type;
    struct app_config_value **items;
    size_t n_items;
};

enum app_protocol { APP_PROTOCOL_ABSENT, APP_PROTOCOL_TCP, APP_PROTOCOL_UDP };

/* AppDeployServicePort, and what hostlet adds to it (lib/app/host_port.h). The added members are absent in
 * TCP ports on all IPv4 addresses, which the contract's are. They occur in manifests and records, never in
 * what a zone or an application reads or writes. */
struct app_service_port {
    char *name;
    int64_t port, host_port;
    char *lan_addr;
    int protocol;           /* enum app_protocol; absent: TCP */
    char *host_address;     /* NULL: 0.0.0.0 */
    int64_t host_port_last; /* the port is one of host_port to host_port_last; 0: it is host_port */
};

struct app_replica { /* AppDeployReplica */
    int64_t id;
    char *host_id, *state, *vpc_ipv4;
    struct app_service_port **service_ports;
    size_t n_service_ports;
    char *host_ipv4;
};

struct app_depend { /* AppDeployDepend */
    char *spec_name, *instance_name;
    struct app_config_value **configs;
    size_t n_configs;
    struct app_replica **replicas;
    size_t n_replicas;
};

/* Stages of a deploy (section 6 of the contract): first those that hostlet owns, then those that inagent
 * owns. */
enum app_stage_name {
    STAGE_HOST_RECV,
    STAGE_IMAGE_PULL,
    STAGE_PKG_DOWNLOAD,
    STAGE_PROVISION,
    STAGE_CONTAINER_CREATE,
    STAGE_CONTAINER_START,
    STAGE_CONTAINER_RUNNING,
    STAGE_CONTAINER_STOP,
    STAGE_CONTAINER_DESTROY,
    STAGE_INAGENT_BOOT,
    STAGE_SPEC_LOAD,
    STAGE_TASK_RUN,
    _STAGE_MAX
};
#define STAGE_IS_OWN(name) ((int)(name) >= 0 && (int)(name) < STAGE_INAGENT_BOOT)
enum app_stage_state { STAGE_PENDING, STAGE_RUNNING, STAGE_SUCCESS, STAGE_FAILED };

/* One stage of a deploy. Its name and state are text because other programs send them: an agent in a
 * container can send stages that this enumeration does not contain. hostlet itself writes and looks for only
 * the values of app_stage_name_enum and app_stage_state_enum. */
struct app_stage { /* AppDeployStage */
    char *name, *owner;
    int64_t revision;
    char *state;
    int64_t attempt;
    struct schema_pair *attrs;
    size_t n_attrs;
    char *message;
    int64_t created, finished; /* unix milliseconds */
    int64_t begun;             /* of the present attempt; 0: the first one, which began when it was created */
    struct app_stage **stages;
    size_t n_stages;
};
#define STAGE_BEGUN(stage) ((stage)->begun ?: (stage)->created)

enum app_task_state {
    TASK_STATE_PENDING,
    TASK_STATE_RUNNING,
    TASK_STATE_SUCCEEDED,
    TASK_STATE_FAILED,
    TASK_STATE_DELAYED
};
enum app_task_trigger {
    TASK_TRIGGER_ON_SHUTDOWN,
    TASK_TRIGGER_ON_STARTUP,
    TASK_TRIGGER_INTERVAL,
    TASK_TRIGGER_CRON,
};

enum app_request_state {
    TASK_REQUEST_RUNNING,
    TASK_REQUEST_SUCCEEDED,
    TASK_REQUEST_FAILED,
    TASK_REQUEST_REFUSED,     /* it did not run */
    TASK_REQUEST_INTERRUPTED, /* the container ended before or during the run */
};

/* What inagent reports of one task. Trigger and state are text for the same reason as those of a stage. */
struct app_task_status {
    char *name, *trigger, *state;
    int64_t started, finished; /* of the last run, unix milliseconds; 0: it did not start, or has not ended */
    int64_t exit_code;         /* of the last run that ended; 128 + the signal that ended it */
    int64_t next;  /* the next run that is planned, unix milliseconds; 0: none, or no time is known */
    int64_t runs;  /* also before a restart of the container */
    char *message; /* why it failed or does not run; may be NULL */
    char *request; /* the id of the last request (RunTask) that inagent has decided; NULL: none */
    /* What became of that request (enum app_request_state) with its own run's exit code, and why it was
     * refused or interrupted. */
    char *request_state, *request_message;
    int64_t request_exit_code;
};

/* What is desired of a whole instance. */
enum app_action {
    APP_ACTION_ABSENT,
    APP_ACTION_START,
    APP_ACTION_STOP,
    APP_ACTION_DESTROY,
    /* The instance stays as it is. Only this machine uses the value: no order contains it. */
    APP_ACTION_NONE,
};

struct app_deploy {
    char *action; /* text, because other programs send it; app_action_of() reads it; NULL: start */
    int64_t revision;
    int64_t cpu_limit;    /* millicores */
    int64_t memory_limit; /* bytes */
    int64_t volume_limit; /* bytes */
    struct app_config_value **configs;
    size_t n_configs;
    int64_t replica_cap;
    struct app_replica **replicas;
    size_t n_replicas;
    struct app_depend **depends;
    size_t n_depends;
    struct app_stage *stages;
};

struct app_status {
    char *id;
};

struct app_instance {
    struct app_metadata *meta;
    struct app_spec *spec;
    struct app_deploy *deploy;
    int64_t revision;
    char **ref_by_instances;
    size_t n_ref_by_instances;
    struct app_status *status;
};

struct app_status_endpoint { /* HostletStatusEndpoint */
    char *url, *secret_key;
};

struct app_replica_instance { /* app_replica.json */
    struct app_instance *app;
    struct app_replica *replica;
    char *zone_base_domain;
    struct app_status_endpoint *hostlet_endpoint;
};

/* The options of a manifest's table [hostlet], without those that are stored in the instance itself
 * (instance, replicas, configs, host_ports). */
enum app_init { APP_INIT_NONE, APP_INIT_INAGENT, APP_INIT_IMAGE };
enum app_pull { APP_PULL_NONE, APP_PULL_MISSING, APP_PULL_ALWAYS, APP_PULL_NEVER };

struct app_options {
    int init; /* enum app_init; 0: inagent */
    char **command;
    size_t n_command;
    int pull; /* enum app_pull; 0: missing */
    struct schema_pair *env;
    size_t n_env;
    int64_t pids_limit;        /* 0: 100 with inagent, 1000 with image */
    int64_t stop_timeout_msec; /* 0: the configured time-out */
    bool probation_given;      /* whether probation_msec is set, since 0 is a valid value of it */
    int64_t probation_msec;
    int64_t parallel;    /* replicas that are updated at once; 0: the configured number */
    char **capabilities; /* values of app_capability_names, in addition to those of every container */
    size_t n_capabilities;
    bool read_only, no_new_privileges;
    char **volumes; /* paths of the container, in addition to the image's VOLUMEs */
    size_t n_volumes;
};

/* Capabilities that a manifest may request: Docker's default set, without "CAP_"; ends with NULL. */
extern const char *const app_capability_names[];

/* The input of "apply": the instance as the contract defines it, and hostlet's options. */
struct app_manifest {
    struct app_instance *app;
    struct app_options *hostlet;
};

extern const struct schema_enum app_ready_enum, app_protocol_enum, app_init_enum, app_pull_enum,
    app_action_enum, app_stage_name_enum, app_stage_state_enum, app_task_state_enum, app_task_trigger_enum,
    app_request_state_enum;
extern const struct schema_struct app_instance_schema, app_spec_schema, app_stage_schema,
    app_task_status_schema, app_replica_schema, app_service_port_schema, app_replica_instance_schema,
    app_options_schema, app_manifest_schema, app_config_value_schema, app_deploy_schema, app_status_schema;
