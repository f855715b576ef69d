/* Declares the record: the reconciler's file of one instance, VAR/hostlet/reconciler/instances/NAME.json.
 *
 * It has the desired state, the ids of image and packages, and for each replica what the runtime cannot show:
 * the journal, host ports, stages. Everything else is inspected. */
#pragma once

#include "lib/api/app.h"
#include "lib/api/package.h"

#define RECORD_FORMAT       2
#define RECORD_FORMAT_LOCAL 1 /* written for local instances, so that version 1 can read them */

/* Limits of a container; 0: none. */
struct record_limits {
    int64_t cpu_limit;    /* millicores */
    int64_t memory_limit; /* bytes */
    int64_t pids_limit;
};

/* A revision that a replica runs or that is desired, with the ids of its image and packages. */
struct record_revision {
    int64_t revision;
    struct app_manifest *manifest;
    /* The limits of the revision's first manifest, if they changed since; NULL: those of 'manifest'. Earlier
     * versions made a new revision for other limits, and the label of their containers includes these. */
    struct record_limits *first_limits;
    /* The original agent applied the revision, and what it was made from is not known: 'manifest' is that of
     * the revision which was desired at the adoption, and nothing is compared with it or made from it. */
    bool assumed;
    bool resolved; /* image_id is known, and all packages are in 'packages' */
    char *image_id;
    struct package_reference **packages;
    size_t n_packages;
    char **volumes; /* those of the image's VOLUMEs that are data of the replica */
    size_t n_volumes;
};

/* What the agent in the container reported beside its stages. */
struct record_agent {
    int64_t revision; /* of the report: deploy.revision of app_replica.json */
    int64_t reported; /* unix milliseconds at which this report, or an equal one after it, was received */
    struct app_task_status **tasks;
    size_t n_tasks;
    bool ready;
    char *status; /* NULL: none */
    /* Which container reported, and which life of it; see model/agent.h. */
    char *container;     /* the begin of its id, as the agent states it; NULL: not known */
    char *life;          /* random digits; NULL: it is over, or the agent states none */
    char *over;          /* those of the life before; NULL: none is known */
    int64_t started;     /* started_at of the container in that life; 0: not known yet */
    int64_t ready_until; /* milliseconds after that start that the application asked for; 0: not asked */
};

struct record_replica {
    int64_t id;
    /* The journal. */
    int64_t applied_revision; /* the last one that passed its probation; 0: none */
    int64_t failed_revision;  /* its switch failed and is not retried without a request; 0: none */
    int64_t rolling_back;     /* its switch failed and is being rolled back; 0: none */

    int64_t attempt;   /* failed deploys in a row while no revision is applied */
    bool update_files; /* app_replica.json of the running container is out of date */
    bool removing;     /* no longer desired: container, quota and directory are removed */
    bool unassigned;   /* the zone assigns it to another host, or has removed it */
    char *vpc_ipv4;    /* the address that the zone assigned last */
    char **containers; /* ids of the containers that exist or may exist, whatever their names are */
    size_t n_containers;
    char *copied;  /* whose anonymous volumes were copied, see rules/anonymous.h */
    char *failure; /* why the switch or deploy failed */
    /* The limits of the current container; NULL: they never changed since it was created. */
    struct record_limits *limits;
    char *quota;                     /* the limit that is enforced, or why none is */
    int64_t quota_limit;             /* the limit that was set last, in bytes; 0: none */
    struct app_service_port **ports; /* of the desired revision */
    size_t n_ports;
    struct app_service_port **applied_ports; /* of the applied one */
    size_t n_applied_ports;
    struct app_stage **stages;
    size_t n_stages;
    struct record_agent *agent; /* NULL: the container's agent has not reported */
};

struct record {
    int64_t format;
    char *name, *origin;
    int action;       /* enum app_action; none: no order of the zone could be followed yet */
    bool purge;       /* 'destroy' deletes the data */
    int64_t revision; /* the desired one, an entry of 'revisions' */

    /* Of origin directory: the path of the manifest that was followed last, and how many mount points led to
     * its directory then. */
    char *file;
    int64_t mounts;

    /* The following members are used by instances of origin zone, but for next and next_since; and by those
     * of origin directory: unassigned, hold and hold_action. */
    int64_t order;             /* deploy.revision of the last order; may be lower than 'revision' */
    char *problem;             /* why that order is not followed; NULL: it is */
    bool unassigned;           /* the zone no longer lists the instance; its file was removed */
    char *hold;                /* the reason for the hold; NULL: none */
    int hold_action;           /* enum app_action that an administrator set during the hold; absent: none */
    int64_t next_since;        /* when 'next' was stored, unix milliseconds */
    struct app_instance *next; /* the order that waits (hold, clash) or is not followed; NULL: none */

    struct record_revision **revisions;
    size_t n_revisions;
    struct record_replica **replicas;
    size_t n_replicas;
};

extern const struct schema_struct record_schema, record_revision_schema, record_replica_schema,
    record_agent_schema;

/* Report whether the instance is of origin zone, and of origin directory. */
bool record_is_zone(const struct record *record);
bool record_is_directory(const struct record *record);
/* Return NULL if no such entry exists. */
struct record_revision *record_find_revision(const struct record *record, int64_t revision);
struct record_replica *record_find_replica(const struct record *record, int64_t id);
/* Adds an entry in the order of ids. */
struct record_replica *record_add_replica(struct record *record, int64_t id);
/* Adds a revision and makes it the desired one. Copies the manifest. */
void record_add_revision(struct record *record, int64_t revision, const struct app_manifest *manifest);
/* Adds an assumed revision; the desired one stays. */
void record_assume_revision(struct record *record, int64_t revision);
/* Returns the limits of a container of the manifest. */
struct record_limits record_limits_of(const struct app_manifest *manifest);
/* Returns the sum of the memory limits of the instance's replicas, in bytes, as far as they are desired. A
 * replica whose applied revision has a larger limit counts with that one. Replicas without a limit do not
 * count; stopped ones do, since they can be started. */
int64_t record_memory(const struct record *record);
/* Replaces the revision's manifest by a copy of 'manifest', and stores the first limits if they change. */
void record_set_manifest(struct record_revision *revision, const struct app_manifest *manifest);
/* Sets the volumes that the VOLUMEs of the revision's image make (lib/app/volume.h). Returns 1 if they
 * changed, 0, or a negative errno (refused) for an image with a VOLUME that cannot be one. */
int record_set_volumes(struct record_revision *revision, char *const *declared, size_t n, struct error *e);
/* Drops what is resolved of image and packages, so that they are resolved again. The zeroed '*old' receives
 * them; the caller frees it with schema_done(). */
void record_forget_bits(struct record_revision *revision, struct record_revision *old);
/* Stores a copy of an order that waits since 'now' (unix milliseconds); 'next' NULL drops the stored one. */
void record_set_next(struct record *record, const struct app_instance *next, int64_t now);
void record_remove_replica(struct record *record, int64_t id);
/* Add the id of a container to the replica's, and drop it. Return false if nothing changed. */
bool record_add_container(struct record_replica *replica, const char *id);
bool record_drop_container(struct record_replica *replica, const char *id);
