/* The interface of the reconciler: what is to be on this machine, and what is. */
#pragma once

#include "lib/api/app.h"
#include "lib/api/container_driver.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface reconciler_interface;

/* States of the contract (section 5), and our two beside them. */
enum replica_state {
    REPLICA_NONE, /* no container */
    REPLICA_STARTING,
    REPLICA_RUNNING,
    REPLICA_STOPPING,
    REPLICA_STOPPED,
    REPLICA_DESTROYING,
    REPLICA_DESTROYED,
    REPLICA_FAILED,
    REPLICA_CRASH_LOOPING, /* "failed" for the contract */
    REPLICA_CONFLICT,      /* the name is taken by a container that is not ours */
    _REPLICA_STATE_MAX
};
extern const struct schema_enum replica_state_enum;

struct reconciler_package {
    char *name, *version /* rule */, *id /* resolved; NULL: not yet */;
};
struct reconciler_replica {
    int64_t id;
    char *container;
    int state;                   /* enum replica_state */
    int64_t revision;            /* of the container that runs; 0: none */
    char *step;                  /* what is being done now: "creating container"; NULL: nothing */
    char *message;               /* last error, or why it is in this state */
    int64_t attempt, next_retry; /* failures in a row; unix milliseconds of the next try, 0: none by itself */
    char *quota;                 /* "1073741824 bytes; partial: writable layer unlimited" */
    struct app_service_port **ports;
    size_t n_ports;
    struct app_stage **stages; /* complete: of the instance's revision, with their owners */
    size_t n_stages;
    bool unassigned; /* of a zone's instance that has this replica elsewhere, or no more */
    char *vpc_ipv4;
};
/* What the zone is told of a replica in place of the stages above. */
struct reconciler_stage_report {
    int64_t replica_id;
    struct app_stage **stages;
    size_t n_stages;
};
struct reconciler_instance {
    char *name, *origin; /* local, zone */
    int action;          /* enum app_action, never absent */
    int64_t revision;    /* desired; of a zone's instance: that of the zone's last order */
    char *spec, *version, *image, *image_id;
    struct reconciler_package **packages;
    size_t n_packages;
    bool settled;  /* nothing is being done and nothing will be by itself */
    bool failed;   /* some replica is not as desired for good, or the last attempt failed */
    char *message; /* of the instance: resolving or preparing failed, the rollout stopped … */
    int64_t next_retry;
    struct reconciler_replica **replicas;
    size_t n_replicas;
    bool unassigned; /* the zone's answers have it no more; it is kept as the configuration says */
    char *hold;      /* why the zone's orders wait until "release"; NULL: they are followed */
    char *problem;   /* why the zone's last order is not followed */
    /* Of a local instance whose name the zone uses too: what to tell the zone of its replicas. */
    struct reconciler_stage_report **clash;
    size_t n_clash;
};
extern const struct schema_struct reconciler_instance_schema;

struct reconciler_apply_in {
    struct app_manifest *manifest;
};
struct reconciler_change {
    char *subject; /* "instance web", "replica 0" */
    char *action;  /* create, recreate, update, start, stop, remove, none */
    char *reason;
};
struct reconciler_apply_out { /* Apply and Plan */
    char *name;
    int64_t revision; /* that it has, or would have */
    bool changed;
    struct reconciler_change **changes;
    size_t n_changes;
    char **refusals; /* of Plan: why Apply would be refused */
    size_t n_refusals;
    char **grants; /* what the manifest gives its containers that others do not have, changed or not */
    size_t n_grants;
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
    struct reconciler_instance *instance; /* NULL: the end of the list */
    bool gone;                            /* of Watch: it was destroyed, this is the last of it */
    bool complete;                        /* of Watch: all was told */
};
struct reconciler_hold_in {
    char *name, *reason;
};

/* What a zone says of this machine; durable, and replaced as a whole. */
struct reconciler_zone_facts {
    char *host_id;           /* of its replicas: those of other hosts are not ours */
    char *lan_addr;          /* where this machine is reached */
    char *status_url;        /* where inagent reports to; NULL: it does not */
    char *base_domain;       /* zone_base_domain of app_replica.json */
    char *vpc_bridge_ip;     /* bare */
    char *vpc_instance_cidr; /* of the containers' network: 10.10.3.0/24 */
    char *vpc_problem;       /* why it cannot be had; NULL: the driver decides */
};
extern const struct schema_struct reconciler_zone_facts_schema;
struct reconciler_assignment {
    char **names;
    size_t n_names;
};
struct reconciler_zone_in {
    struct reconciler_zone_facts *facts; /* NULL: as before */
    struct app_instance *instance;       /* NULL: none */
    char *refused; /* why that is not followed, whatever it says; NULL: the reconciler decides */
    struct reconciler_assignment *assigned; /* the complete list of names; NULL: as before */
};
struct reconciler_zone_out {
    bool changed;
    bool managed;   /* of the instance: it has a replica on this machine */
    char *problem;  /* why its order is not followed; shown, and reported as a stage */
    char **unknown; /* names of the list that are not known here: their instances are to be sent */
    size_t n_unknown;
};
struct reconciler_secret_in {
    char *name;
    int64_t replica_id;
    char *secret; /* 34 hex digits */
};
struct reconciler_report_in {
    char *instance_name;
    int64_t replica_id;
    char *secret;
    int64_t updated;
    struct app_stage **stages;
    size_t n_stages;
};
struct reconciler_info_out {
    char *host_id; /* the zone's for this machine, else its own */
    struct reconciler_zone_facts *zone;
    int64_t instances;
    char *runtime_failure;
    struct driver_info_out *runtime; /* not older than a minute or two; NULL: not known yet */
};
