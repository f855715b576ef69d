/* Declares io.hostlet.Reconciler: the desired state of this machine and its actual state. */
#pragma once

#include "lib/api/app.h"
#include "lib/api/container_driver.h"
#include "lib/api/net_keeper.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface reconciler_interface;

/* The states of the contract (section 5), and two of hostlet: crash_looping and conflict. */
enum replica_state {
    REPLICA_NONE, /* no container */
    REPLICA_STARTING,
    REPLICA_RUNNING,
    REPLICA_PAUSED,
    REPLICA_STOPPING,
    REPLICA_STOPPED,
    REPLICA_DESTROYING,
    REPLICA_DESTROYED,
    REPLICA_FAILED,
    REPLICA_CRASH_LOOPING, /* "failed" for the contract */
    REPLICA_CONFLICT,      /* a container that does not belong to this tree has the name */
    _REPLICA_STATE_MAX
};
extern const struct schema_enum replica_state_enum;

struct reconciler_package {
    char *name;
    char *version; /* the rule that the id is resolved by */
    char *id;      /* NULL: not resolved yet */
};
struct reconciler_limits {
    int64_t cpu_limit, memory_limit, pids_limit; /* millicores; bytes; number; 0: none */
};
struct reconciler_replica {
    int64_t id;
    char *container;
    int state;                        /* enum replica_state */
    int64_t revision;                 /* of the container; 0: none exists */
    char *step;                       /* in progress: "creating container"; NULL: none */
    char *message;                    /* the last error, or the reason for the state */
    int64_t attempt;                  /* failures in a row */
    int64_t next_retry;               /* unix milliseconds; 0: no retry is planned */
    char *next;                       /* what happens next without a request; NULL: nothing */
    int64_t next_at;                  /* unix milliseconds; 0: no time is planned for it */
    char *quota;                      /* "1073741824 bytes; partial: writable layer unlimited" */
    struct reconciler_limits *limits; /* of the container; NULL: none exists, or they are not known */
    char *limits_problem; /* why the desired limits are not set; NULL: they are, or no attempt failed */
    struct app_service_port **ports;
    size_t n_ports;
    struct app_stage **stages; /* all stages of the instance's revision, hostlet's and inagent's */
    size_t n_stages;
    /* What inagent reported last in this container: its tasks, whether the application is ready (READY=1),
     * and the application's own text (STATUS=), which may be NULL. */
    struct app_task_status **tasks;
    size_t n_tasks;
    bool ready;
    char *status;
    bool unassigned; /* the zone assigns this replica to another host, or has removed it */
    char *vpc_ipv4;
    char *last_exit;
    int64_t last_exit_at;     /* unix milliseconds */
    int64_t exits, oom_kills; /* since the reconciler started */
};
/* The stages that the zone receives for a replica whose order is not followed because of a clash. */
struct reconciler_stage_report {
    int64_t replica_id;
    struct app_stage **stages;
    size_t n_stages;
};
struct reconciler_instance {
    char *name, *origin; /* local, zone, directory; unknown: its record cannot be read */
    int action;          /* enum app_action, never absent */
    int64_t revision;    /* desired; of a zone's instance: that of the zone's last order */
    char *spec, *version, *image, *image_id;
    struct reconciler_package **packages;
    size_t n_packages;
    bool settled; /* nothing is in progress, and nothing starts without a request or event */
    bool failed; /* preparing, the rollout, a replica or its limits failed, or the order cannot be followed */
    char *message; /* why preparing the revision failed or the rollout stopped */
    int64_t next_retry;
    char *next; /* as of a replica */
    int64_t next_at;
    struct reconciler_replica **replicas;
    size_t n_replicas;
    bool unassigned; /* the zone no longer lists it; the setting 'unassigned' decides what happens */
    char *hold;      /* the reason for the hold; NULL: orders are followed */
    char *problem;   /* why the zone's last order, or the file, is not followed */
    char *file;      /* of origin directory: the path of its manifest */
    /* In a clash, a local instance carries the stages that the zone receives for its own instance. */
    struct reconciler_stage_report **clash;
    size_t n_clash;
};
extern const struct schema_struct reconciler_instance_schema;

struct reconciler_apply_in {
    struct app_manifest *manifest;
    int64_t patience_msec;  /* how long to wait for the runtime; 0: 10 seconds */
    int64_t planned_memory; /* Plan: the sum of memory_change of the manifests that were planned before */
};
struct reconciler_change {
    char *subject; /* "instance web", "replica 0" */
    char *action;  /* create, recreate, update, start, stop, remove, none */
    char *reason;
};
struct reconciler_apply_out { /* Apply and Plan */
    char *name;
    int64_t revision; /* the desired one after the change */
    bool changed;
    struct reconciler_change **changes;
    size_t n_changes;
    char **refusals; /* Plan only: the reasons for which Apply would refuse the manifest */
    size_t n_refusals;
    char **warnings; /* what is accepted and may be a mistake, changed or not */
    size_t n_warnings;
    int64_t memory_change; /* bytes by which the sum of all memory limits changes */
    char **grants; /* rights beyond those of other containers that the manifest grants, changed or not */
    size_t n_grants;
    char **ports; /* "replica 0: publishes http 8080->80", of the replicas that get a new container */
    size_t n_ports;
};
struct reconciler_name_in {
    char *name;
};
struct reconciler_destroy_in {
    char *name;
    bool purge;
};
struct reconciler_get_out {
    struct reconciler_instance *instance;
    struct app_manifest *manifest;
};
struct reconciler_watch_out {             /* List and Watch */
    struct reconciler_instance *instance; /* NULL: the end of a list or snapshot */
    bool gone;                            /* Watch only: the instance was destroyed */
    bool complete;                        /* Watch only: the snapshot is complete */
};
struct reconciler_hold_in {
    char *name, *reason;
};

/* The zone's facts about this machine. They are saved, and replaced as a whole. */
struct reconciler_zone_facts {
    char *host_id;           /* replicas with this host id are assigned to this machine */
    char *lan_addr;          /* the address at which this machine is reached */
    char *status_url;        /* the URL that inagent reports to; NULL: it does not report */
    char *base_domain;       /* zone_base_domain of app_replica.json */
    char *vpc_bridge_ip;     /* without prefix length */
    char *vpc_instance_cidr; /* the containers' network, such as 10.10.3.0/24 */
    char *vpc_problem;       /* why that network cannot be used; NULL: container-driver decides */
};
extern const struct schema_struct reconciler_zone_facts_schema;
struct reconciler_assignment {
    char **names;
    size_t n_names;
};
struct reconciler_zone_in {
    struct reconciler_zone_facts *facts; /* NULL: unchanged */
    struct app_instance *instance;       /* NULL: none */
    char *refused; /* why the caller refuses the instance; NULL: the reconciler decides */
    struct reconciler_assignment *assigned; /* the complete list of names; NULL: unchanged */
    struct net_network *network;            /* for net-keeper; NULL: unchanged */
    bool no_network; /* this machine has left its zone: net-keeper removes the network */
};
struct reconciler_zone_out {
    bool changed;
    bool managed;   /* the instance has a replica on this machine */
    char *problem;  /* why the order is not followed; it is shown, and reported as a stage */
    char **unknown; /* names in the list without a record; the caller sends these instances again */
    size_t n_unknown;
    char **network_problems; /* what net-keeper could not do of the network */
    size_t n_network_problems;
};
struct reconciler_secret_in {
    char *name;
    int64_t replica_id;
    char *secret; /* 34 hex digits */
};
struct reconciler_run_task_in {
    char *name;
    int64_t replica_id;
    char *task;
    /* The id that the request gets, so that the call can be repeated; NULL: a new one. */
    char *id;
};
struct reconciler_run_task_out {
    char *id; /* of the request: the task's member 'request' when inagent has decided it */
};
struct reconciler_report_in {
    char *instance_name;
    int64_t replica_id;
    char *secret;
    int64_t updated;
    struct app_stage **stages;
    size_t n_stages;
    struct app_task_status **tasks;
    size_t n_tasks;
    bool ready;
    char *status;
    char *container, *life; /* whose report it is; see rules/readiness.h */
    int64_t ready_until;    /* milliseconds after the start that the application asked for to become ready */
};
struct reconciler_info_out {
    char *host_id; /* the zone's id for this machine, or the machine's own without a zone */
    struct reconciler_zone_facts *zone;
    int64_t instances;
    char *runtime_failure;
    char *manifests;                 /* the directory of manifests; NULL: none is configured */
    char *manifests_problem;         /* why it cannot be followed; NULL: it can */
    struct driver_info_out *runtime; /* refreshed after a minute when a caller asks; NULL: not known yet */
};
