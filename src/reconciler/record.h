/* What the reconciler keeps on disk, one file per instance: VAR/hostlet/reconciler/instances/NAME.json.
 *
 * It is the desired state, what was resolved for it, and of each replica what cannot be read back from the runtime: the
 * revision that proved itself, a switch that failed, host ports, stages. Everything else is inspected. */
#pragma once

#include "lib/api/app.h"
#include "lib/api/workers.h"

#define RECORD_FORMAT 1

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
    char *action;     /* start, stop, destroy */
    bool purge;       /* of destroy */
    int64_t revision; /* the desired one, an entry of 'revisions' */
    struct record_revision **revisions;
    size_t n_revisions;
    struct record_replica **replicas;
    size_t n_replicas;
};

extern const struct schema_struct record_schema, record_revision_schema, record_replica_schema;

struct record_revision *record_find_revision(const struct record *record, int64_t revision);
struct record_replica *record_find_replica(const struct record *record, int64_t id);
struct record_replica *record_add_replica(struct record *record, int64_t id);
void record_remove_replica(struct record *record, int64_t id);
