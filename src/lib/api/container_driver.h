/* Declares the interface of container-driver: containers, addressed by replica. Only the names of this
 * interface begin with driver_. */
#pragma once

#include "lib/api/app.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface container_driver_interface;
extern const struct schema_struct driver_info_schema, driver_create_schema, driver_container_schema,
    driver_image_schema, driver_event_schema, driver_port_schema, driver_limits_schema, driver_usage_schema;

/* Selects a container of a replica: i8k_INSTANCE_ID, or the previous one, which a switch renames to
 * i8k_INSTANCE_ID.old. i8k_INSTANCE_ID.aside is a name that no replica needs. */
enum driver_slot {
    DRIVER_SLOT_CURRENT,
    DRIVER_SLOT_OLD,
    DRIVER_SLOT_ASIDE, /* only as the target of a rename */
};
extern const struct schema_enum driver_slot_enum;

/* State of a container, as the runtime reports it. */
enum driver_state {
    DRIVER_MISSING, /* no such container exists */
    DRIVER_CREATED,
    DRIVER_RUNNING,
    DRIVER_PAUSED, /* it runs, and its processes are frozen */
    DRIVER_RESTARTING,
    DRIVER_EXITED,
    DRIVER_REMOVING,
    DRIVER_DEAD, /* the runtime failed to remove it: it can only be removed */
};
extern const struct schema_enum driver_state_enum;

/* Reports whether the container has processes. */
static inline bool driver_state_has_processes(enum driver_state state)
{
    return state == DRIVER_RUNNING || state == DRIVER_PAUSED;
}

/* Reports whether the runtime keeps the container up: the container runs, or the runtime will restart it. */
static inline bool driver_state_is_up(enum driver_state state)
{
    return driver_state_has_processes(state) || state == DRIVER_RESTARTING;
}

/* Reports whether the container can never be used again: the runtime is removing it, or failed to. */
static inline bool driver_state_is_lost(enum driver_state state)
{
    return state == DRIVER_REMOVING || state == DRIVER_DEAD;
}

enum driver_restart { DRIVER_RESTART_NO, DRIVER_RESTART_ALWAYS };
extern const struct schema_enum driver_restart_enum;

enum driver_runtime_state { DRIVER_RUNTIME_UNKNOWN, DRIVER_RUNTIME_UP, DRIVER_RUNTIME_DOWN };
extern const struct schema_enum driver_runtime_state_enum;

struct driver_info_out {
    char *runtime; /* "docker" or "null" */
    int state;     /* enum driver_runtime_state, as of the last request */
    char *reason;  /* why the runtime is down */
    char *version, *api_version, *storage_driver;
    char *arch;                 /* "amd64", "arm64" */
    int64_t cpus, memory;       /* number; bytes */
    int64_t containers, images; /* all of the runtime, also those of other programs */
    bool live_restore;          /* containers keep running while the runtime restarts */
    bool layer_limit;           /* the runtime can limit writable layers */
    /* The seccomp profile of new containers: "hostlet", a path, "runtime" or "none"; NULL: not known, or the
     * null runtime. */
    char *seccomp;
    char *seccomp_reason; /* why 'seccomp' is not the configured profile */
    char *adopted_reason; /* why adopted containers are not managed; NULL: they are managed */
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
    char **volumes; /* the image's VOLUMEs, as it declares them */
    size_t n_volumes;
};
struct driver_image_list_out {
    struct driver_image *image; /* NULL: the list ends */
};
struct driver_pull_out {
    char *status;
    int64_t done, total; /* bytes of the layers known so far */
    char *id;            /* of the image; only in the final reply */
    char **volumes;      /* the image's VOLUMEs; only in the final reply */
    size_t n_volumes;
};

struct driver_port {
    int64_t port, host_port;
    int protocol;       /* enum app_protocol; absent: TCP */
    char *host_address; /* NULL: all IPv4 addresses */
};
struct driver_package {
    char *name, *id; /* mounted read-only at /usr/innerstack/NAME */
};

/* Everything about a container that a caller determines. The driver determines the rest (mounts, security
 * options, labels), so that no caller can request more. */
struct driver_create_in {
    char *instance;
    int64_t replica_id, revision;
    char *config;  /* hash of the container's definition; stored as a label */
    char *image;   /* reference or id */
    char *host_id; /* value of APP_HOST_ID */
    int init;      /* enum app_init */
    char **command;
    size_t n_command;
    struct schema_pair *env;
    size_t n_env;
    int64_t cpu_limit, memory_limit; /* millicores; bytes; 0: none */
    int64_t pids_limit;
    int64_t stop_timeout_msec;
    int64_t probation_msec; /* passed to inagent */
    struct driver_port **ports;
    size_t n_ports;
    struct driver_package **packages;
    size_t n_packages;
    char *vpc_ipv4, *vpc_cidr; /* address in the zone's network; that network on this machine; NULL: none */
    int64_t vpc_mtu;           /* of that network, if it is made; bytes; 0: the runtime's default */
    bool vpc_masqueraded;      /* a rule of net-keeper masquerades what leaves the zone's network */
    char **capabilities;       /* values of app_capability_names, in addition to those of every container */
    size_t n_capabilities;
    bool read_only, no_new_privileges;
    char **volumes; /* paths in the container, of the image and of the manifest */
    size_t n_volumes;
};
struct driver_check_network_in {
    char *cidr;
};

/* The zone's network as it exists. It can differ from a new one: it may be made by the original agent, or
 * before net-keeper or another version of the engine. */
struct driver_network {
    int64_t mtu;      /* 0: none limits it */
    bool masquerades; /* the runtime masquerades what leaves it: other machines do not see whose it is */
    bool closed;      /* the runtime drops packets that other machines send to its containers */
};

struct driver_check_network_out {
    char *problem;
    struct driver_network *network; /* NULL: it does not exist with this range */
};

struct driver_create_out {
    char *id;
    bool layer_unlimited; /* the storage driver cannot limit the writable layer */
};

struct driver_replica_in {
    char *instance;
    int64_t replica_id;
    int slot; /* enum driver_slot */
    char *id; /* selects the container by its id, in place of the slot; NULL: by its name */
};
/* A volume that the runtime made for a container, and that it removes with it. */
struct driver_volume {
    char *path; /* in the container */
    char *name; /* in the runtime */
};
/* Where a container with inagent has the directory of the agents' socket, and the socket. */
#define AGENT_SOCKET_DIRECTORY "/run/hostlet"
#define AGENT_SOCKET           AGENT_SOCKET_DIRECTORY "/agent.sock"

struct driver_container {
    char *id, *name, *instance;
    int64_t replica_id;
    int slot;
    bool ours; /* the container carries this tree's label, or is adopted, and is not misnamed */
    /* The original agent made the container; its definition is not compared with the desired one. */
    bool adopted;
    bool unsure;            /* adopted, and only its tenant states 'revision' */
    bool misnamed;          /* its labels name another replica than its name does */
    char *owner;            /* what a container that is not 'ours' is, for a human */
    char *tree;             /* id of the other tree whose label the container carries; NULL: none */
    bool adoptable;         /* the original agent made it for this replica: Adopt makes it 'ours' */
    char *misfit;           /* why a container that is not 'ours' is not adoptable either, for a human */
    int state;              /* enum driver_state */
    char *image, *image_id; /* reference from which the container was created; id */
    int64_t revision;       /* from the label */
    char *config;           /* from the label */
    int restart;            /* enum driver_restart */
    int64_t exit_code;
    char *error; /* the runtime's reason why the container did not start */
    bool oom_killed;
    int64_t started_at, finished_at; /* unix milliseconds */
    int64_t restart_count;
    int64_t cpu_limit, memory_limit; /* millicores; bytes; 0: none */
    int64_t pids_limit;              /* 0: none */
    /* The runtime starts the container without its CPU limit, and cannot set it again. */
    bool cpu_limit_lost;
    int64_t layer_limit;        /* bytes of the writable layer; 0: no limit */
    int64_t stop_timeout_msec;  /* the container's own time-out; 0: the runtime's default */
    struct driver_port **ports; /* as bound */
    size_t n_ports;
    char *vpc_ipv4;     /* as configured, also while the container does not run */
    char *home;         /* the directory of this machine that is mounted at /home; NULL: none */
    bool agent_socket;  /* the container has the directory of the agents' socket at AGENT_SOCKET_DIRECTORY */
    bool lxcfs;         /* the container has the mounts of lxcfs */
    bool lxcfs_differs; /* a new container would differ in 'lxcfs' */
    char **volumes;     /* paths at which the container has volumes of the replica's directory */
    size_t n_volumes;
    struct driver_volume **anonymous_volumes;
    size_t n_anonymous_volumes;
};
struct driver_volumes_in {
    char *instance;
    int64_t replica_id;
};
struct driver_remove_in {
    char *instance;
    int64_t replica_id;
    int slot;
    char *id;          /* as in struct driver_replica_in */
    bool keep_volumes; /* anonymous volumes of the container are not removed */
};
struct driver_copy_in {
    char *instance;
    int64_t replica_id;
    int slot;       /* enum driver_slot: of the container whose anonymous volumes are copied */
    char **volumes; /* paths in the container */
    size_t n_volumes;
};
struct driver_inspect_out {
    struct driver_container *container; /* NULL: no such container exists; in List: the list ends */
};
struct driver_stop_in {
    char *instance;
    int64_t replica_id;
    int slot;
    int64_t timeout_msec; /* before SIGKILL; 0: the container's own time-out */
};
struct driver_adopt_in {
    char *instance;
    int64_t replica_id;
    int64_t revision; /* the revision that the original agent applied last */
    bool unsure;      /* only the container's tenant states it */
};
struct driver_rename_in {
    char *instance;
    int64_t replica_id;
    int from, to;
    char *id; /* as in driver_replica_in, in place of 'from' */
};
struct driver_restart_in {
    char *instance;
    int64_t replica_id;
    int slot;
    int policy;
};
struct driver_limits_in {
    char *instance;
    int64_t replica_id;
    int slot;
    int64_t cpu_limit, memory_limit, pids_limit; /* millicores; bytes; number; 0: none */
};
struct driver_usage_out {
    int64_t memory; /* bytes that the kernel cannot reclaim: without the file cache */
    int64_t pids;
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
/* An event of a container of this tree. */
struct driver_event {
    char *instance;
    int64_t replica_id;
    int slot;
    char *id;     /* of the container, which need not be the replica's, since anybody can copy its labels */
    char *action; /* create, start, die, destroy, rename, kill, oom, … */
    int64_t exit_code;
};
struct driver_watch_out {
    struct driver_container *container; /* an item of the snapshot, as List returns it */
    struct driver_event *event;         /* a change; only Inspect shows the container's actual state */
    bool complete;                      /* the snapshot ends */
    char *lost; /* why no events arrive from the runtime; a snapshot follows when they do again */
};
