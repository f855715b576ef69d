/* The interface of container-driver: containers by replica. Its names begin with driver_, which nothing else
 * in this folder does. */
#pragma once

#include "lib/api/app.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface container_driver_interface;
extern const struct schema_struct driver_info_schema, driver_create_schema, driver_container_schema,
    driver_image_schema, driver_event_schema;

/* Which container of a replica: i8k_INSTANCE_ID, or the one put aside during a switch, i8k_INSTANCE_ID.old.
 */
enum driver_slot { DRIVER_SLOT_CURRENT, DRIVER_SLOT_OLD };
extern const struct schema_enum driver_slot_enum;

/* What a runtime says of a container. "missing" is no container. */
enum driver_state {
    DRIVER_MISSING,
    DRIVER_CREATED,
    DRIVER_RUNNING, /* paused too */
    DRIVER_RESTARTING,
    DRIVER_EXITED, /* dead too */
    DRIVER_REMOVING,
};
extern const struct schema_enum driver_state_enum;

/* Tells whether the runtime keeps the container up: it runs, or the runtime is about to start it again. */
static inline bool driver_state_is_up(enum driver_state state)
{
    return state == DRIVER_RUNNING || state == DRIVER_RESTARTING;
}

enum driver_restart { DRIVER_RESTART_NO, DRIVER_RESTART_ALWAYS };
extern const struct schema_enum driver_restart_enum;

enum driver_runtime_state { DRIVER_RUNTIME_UNKNOWN, DRIVER_RUNTIME_UP, DRIVER_RUNTIME_DOWN };
extern const struct schema_enum driver_runtime_state_enum;

struct driver_info_out {
    char *runtime; /* docker, null */
    int state;     /* enum driver_runtime_state, as the last request found it */
    char *reason;  /* why it is down */
    char *version, *api_version, *storage_driver, *arch; /* amd64, arm64 */
    int64_t cpus, memory;                                /* bytes */
    int64_t containers, images;                          /* how many the runtime has, whosever */
    bool live_restore, layer_limit;                      /* whether writable layers can be limited */
    char *seccomp; /* of new containers: hostlet, a path, runtime or none; NULL: not known, or nothing runs */
    char *seccomp_reason; /* why it is not the configured one */
    char *adopted_reason; /* why adopted containers are left alone; NULL: they are managed */
};

struct driver_image_in {
    char *reference;
};
struct driver_image {
    char *id; /* sha256:… */
    char **tags, **digests;
    size_t n_tags, n_digests;
    int64_t size;
    char *user;
    char **entrypoint, **command;
    size_t n_entrypoint, n_command;
};
struct driver_image_list_out {
    struct driver_image *image; /* NULL: the end of the list */
};
struct driver_pull_out {
    char *status;
    int64_t done, total; /* bytes of the layers known so far */
    char *id;            /* of the image: the final answer */
};

struct driver_port {
    int64_t port, host_port;
};
struct driver_package {
    char *name, *id; /* mounted read-only at /usr/innerstack/NAME */
};

/* All that a caller may say about a container: the driver makes the rest of it, so that no caller can ask for
 * more. */
struct driver_create_in {
    char *instance;
    int64_t replica_id, revision;
    char *config;  /* hash of what it was made from: a label */
    char *image;   /* reference or id */
    char *host_id; /* APP_HOST_ID */
    int init;      /* enum app_init */
    char **command;
    size_t n_command;
    struct schema_pair *env;
    size_t n_env;
    int64_t cpu_limit, memory_limit; /* millicores, bytes; 0: none */
    int64_t pids_limit;
    int64_t stop_timeout_msec;
    int64_t probation_msec; /* told to inagent */
    struct driver_port **ports;
    size_t n_ports;
    struct driver_package **packages;
    size_t n_packages;
    char *vpc_ipv4, *vpc_cidr; /* its address in the zone's network, and that network; NULL: none */
    char **capabilities;       /* beside those of every container; of app_capability_names */
    size_t n_capabilities;
    bool read_only, no_new_privileges;
};
struct driver_check_network_in {
    char *cidr;
};

struct driver_check_network_out {
    char *problem;
};

struct driver_create_out {
    char *id;
    bool layer_unlimited; /* the storage driver cannot limit the writable layer */
};

struct driver_replica_in {
    char *instance;
    int64_t replica_id;
    int slot; /* enum driver_slot */
};
struct driver_container {
    char *id, *name, *instance;
    int64_t replica_id;
    int slot;
    bool ours;              /* carries the label of this tree, or was adopted */
    bool adopted;           /* made by the agent before us: what it is made of is not ours to compare */
    char *owner;            /* what it is, where it is not ours, for a human */
    char *tree;             /* the id of the other tree whose label it carries; NULL: of none */
    int state;              /* enum driver_state */
    char *image, *image_id; /* reference it was created from, id */
    int64_t revision;       /* label */
    char *config;           /* label */
    int restart;            /* enum driver_restart */
    int64_t exit_code;
    char *error; /* of the runtime: why it did not start */
    bool oom_killed;
    int64_t started_at, finished_at; /* unix milliseconds */
    int64_t restart_count;
    int64_t cpu_limit, memory_limit;
    int64_t layer_limit;        /* bytes of its writable layer; 0: not limited */
    int64_t stop_timeout_msec;  /* its own; 0: the runtime's default */
    struct driver_port **ports; /* as bound */
    size_t n_ports;
    char *vpc_ipv4;            /* as configured, whether it runs or not */
    bool lxcfs, lxcfs_differs; /* it has its mounts; it should be the other way round now */
};
struct driver_inspect_out {
    struct driver_container *container; /* NULL: there is none (in List: the end) */
};
struct driver_stop_in {
    char *instance;
    int64_t replica_id;
    int slot;
    int64_t timeout_msec; /* before SIGKILL; 0: the container's own */
};
struct driver_adopt_in {
    char *instance;
    int64_t replica_id;
    int64_t revision; /* that the agent before us last applied to it */
};
struct driver_rename_in {
    char *instance;
    int64_t replica_id;
    int from, to;
};
struct driver_restart_in {
    char *instance;
    int64_t replica_id;
    int slot;
    int policy;
};
struct driver_logs_in {
    char *instance;
    int64_t replica_id;
    int slot;
    bool follow;
    int64_t since; /* unix milliseconds; 0: all */
    int64_t tail;  /* lines; 0: all */
};
struct driver_tail_out {
    char **lines;
    size_t n_lines;
};
/* Something happened to a container of ours. */
struct driver_event {
    char *instance;
    int64_t replica_id;
    int slot;
    char *action; /* create, start, die, destroy, rename, kill, oom, … */
    int64_t exit_code;
};
struct driver_watch_out {
    struct driver_container *container; /* of the snapshot, as List has it */
    struct driver_event *event;         /* a change: an inspection shows what became of it */
    bool complete;                      /* all was told */
    char *lost; /* why the runtime's events do not flow; a snapshot follows when they do */
};
