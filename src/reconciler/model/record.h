/* What the reconciler keeps on disk, one file per instance: VAR/hostlet/reconciler/instances/NAME.json.
 *
 * It is the desired state, what was resolved for it, and of each replica what cannot be read back from the
 * runtime: the revision that proved itself, a switch that failed, host ports, stages. Everything else is
 * inspected. */
#pragma once

#include "lib/api/app.h"
#include "lib/api/package.h"

#define RECORD_FORMAT       2
#define RECORD_FORMAT_LOCAL 1 /* of instances that an earlier version can take over */

/* A revision that some replica runs or shall run, with the bits it was resolved to. */
struct record_revision {
    int64_t revision;
    struct app_manifest *manifest;
    bool resolved;
    char *image_id;
    struct package_reference **packages;
    size_t n_packages;
};

struct record_replica {
    int64_t id;
    int64_t applied_revision; /* the last one that passed its probation; 0: none */
    int64_t failed_revision;  /* the switch to it failed and is not tried again by itself; 0: none */
    int64_t attempt;          /* failed deploys in a row, while there is no revision to fall back on */
    int64_t rolling_back; /* the journal: the switch to this revision failed and is being undone; 0: none */
    bool update_files;    /* app_replica.json of the running container is out of date */
    bool removing;        /* no longer wanted: container, quota and directory go */
    bool unassigned;      /* of a zone's instance, which has it elsewhere or no more */
    char *vpc_ipv4;       /* the address that the zone gave it last */
    char *failure;        /* why it failed or is rolling back */
    char *quota;          /* what is enforced, or why nothing is */
    int64_t quota_limit;  /* bytes that were set last; 0: none */
    struct app_service_port **ports; /* of the desired revision */
    size_t n_ports;
    struct app_service_port **applied_ports; /* of the applied one */
    size_t n_applied_ports;
    struct app_stage **stages;
    size_t n_stages;
};

struct record {
    int64_t format;
    char *name, *origin;
    int action;       /* enum app_action; none: a zone's instance that never had an order we could follow */
    bool purge;       /* of destroy */
    int64_t revision; /* the desired one, an entry of 'revisions' */
    /* Of a zone's instance: */
    int64_t
        order; /* deploy.revision of its last order; it may be lower than 'revision' (rules/zone_order.h) */
    char *problem;             /* why that order is not followed */
    bool unassigned;           /* the zone's answers have it no more */
    char *hold;                /* why orders wait; NULL: they do not */
    int hold_action;           /* enum app_action: what was asked for here meanwhile; absent: nothing */
    int64_t next_since;        /* unix milliseconds */
    struct app_instance *next; /* the order that waits, or is not followed; also of a local instance with a
                                  name of the zone's */
    struct record_revision **revisions;
    size_t n_revisions;
    struct record_replica **replicas;
    size_t n_replicas;
};

extern const struct schema_struct record_schema, record_revision_schema, record_replica_schema;

bool record_is_zone(const struct record *record);
struct record_revision *record_find_revision(const struct record *record, int64_t revision);
struct record_replica *record_find_replica(const struct record *record, int64_t id);
struct record_replica *record_add_replica(struct record *record, int64_t id);
/* A new revision, which is the desired one from now on; copies the manifest. */
void record_add_revision(struct record *record, int64_t revision, const struct app_manifest *manifest);
void record_set_manifest(struct record_revision *revision, const struct app_manifest *manifest);
/* Its image and packages are to be resolved anew; what they were goes into the zeroed '*old'. */
void record_forget_bits(struct record_revision *revision, struct record_revision *old);
/* Keeps a copy of an order that waits from now on (unix milliseconds); NULL: none. */
void record_set_next(struct record *record, const struct app_instance *next, int64_t now);
void record_remove_replica(struct record *record, int64_t id);
