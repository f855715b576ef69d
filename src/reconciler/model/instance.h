/* What the reconciler knows: instances, their replicas and the preparation of their revisions, and the list
 * of all of them. */
#pragma once

#include "lib/api/container_driver.h"
#include "lib/api/reconciler.h"
#include "reconciler/model/outside.h"
#include "reconciler/model/record.h"
#include "reconciler/model/settings.h"
#include "reconciler/rules/crash.h"
#include "reconciler/rules/decide.h"
#include "reconciler/rules/drift.h"

struct manager;
struct instance;
struct unreadable;
struct watcher;

/* The image and packages of one revision being brought here. Nothing of it is durable but what was resolved.
 */
enum prepare_state { PREPARE_NONE, PREPARE_RUNNING, PREPARE_DONE, PREPARE_WAITING /* failed, tried again */ };
struct prepare {
    struct instance *instance;
    int64_t revision;
    enum prepare_state state;
    struct varlink_request *request;
    size_t package; /* the one that is being worked on */
    char *network;  /* of the zone, that was looked at and can be made; NULL: none yet */
    char *image; /* what containers are created from: the reference, or the id where the reference moved on */
    struct retry retry;  /* attempts in a row that failed */
    uint64_t next_retry; /* unix milliseconds; 0: no retry is planned, or a quick one */
    struct timer timer;
    char *failure;
};

struct replica {
    struct instance *instance;
    struct record_replica *record;
    enum replica_state state;
    char *message;
    enum step step;                  /* the one being done; STEP_SETTLED while none */
    enum step last;                  /* what decide() said last */
    struct varlink_request *request; /* of the step, or of an inspection */
    bool kick;                       /* the next turn asks decide() for it */
    bool turn_taken;                 /* it began a switch that is not over */
    bool purging; /* the step that is being done deletes its data, and counts among the manager's purges */

    /* What the runtime shows. */
    struct {
        struct driver_container current, old; /* as last seen; state missing for none */
        bool observed;                        /* they were read since the runtime was subscribed to */
        bool stale;                           /* something happened: read them again */
        unsigned updates_due;                 /* events of changes that we made ourselves */
    } seen;

    /* What was done since the process started, and need not be done again. */
    struct {
        bool quota_set, provisioned, restored, data_removed;
    } done;

    /* Failures of the present step in a row. */
    struct {
        struct retry count;
        uint64_t next;      /* unix milliseconds; 0: none */
        struct timer timer; /* also for the end of a probation */
    } retry;

    struct {
        bool missing; /* the limit could not be set: asked again when quota-keeper has something new */
        int level;    /* enum quota_level, as last told */
        char *lost;   /* why limits that were set are not enforced any more */
    } quota;

    struct drift drift;

    /* Exits that nobody asked for. */
    struct {
        struct crash_exits last;
        struct timer calm; /* ends a crash loop */
    } exits;
};

struct instance {
    struct manager *manager;
    struct record *record;
    struct replica **replicas;
    size_t n_replicas;
    struct prepare **prepares;
    size_t n_prepares;
    bool dirty;            /* the file is older than the record */
    uint64_t save_at;      /* CLOCK_MONOTONIC: until then, while it is dirty */
    uint64_t tenant_saves; /* of what tenants say: up to when their share of saves is used up */
    bool changed;          /* the next turn tells those who watch */
    bool letting_go;       /* nothing is left of it but its packages, which are being removed */
    unsigned removals;     /* of those that are under way */
    struct timer save_timer;
    struct timer turn; /* see instance_changed() */
    struct instance *next;
};

/* Who is told of what becomes of instances. */
struct listener {
    void (*changed)(struct instance *instance);
    void (*gone)(struct instance *instance);
    /* A local instance is gone, whose name an order of the zone waited for. Takes 'next', which may be NULL.
     */
    void (*name_free)(struct manager *m, struct app_instance *next);
};

struct follower;

struct manager {
    struct outside *outside;
    struct settings settings;
    timer_fn *turn; /* what follows from kicks and changes of an instance, which is its userdata */
    const struct listener *listener;
    char *state_dir, *driver_socket, *fetcher_socket, *unpacker_socket, *provisioner_socket, *quota_socket;
    char *host_id;                         /* our own, made once; NULL: it cannot be read */
    struct reconciler_zone_facts *zone;    /* NULL: we belong to none, or it cannot be read */
    char *host_id_problem, *facts_problem; /* why not; NULL: they can be read, or are not there */
    struct instance *instances;
    struct unreadable *unreadable;
    struct watcher *watchers;
    struct follower *runtime, *quotas; /* of container-driver and quota-keeper */
    struct varlink_request *deletions;
    struct timer quota_retry_timer;
    struct retry quota_retry;
    unsigned purges; /* under way */
    bool subscribed; /* all containers were told, and the runtime's events flow */
    char *runtime_failure;
    struct driver_info_out *info; /* of the runtime; NULL: not known yet */
    uint64_t info_asked;          /* monotonic µs */
};

struct instance *manager_find(struct manager *m, const char *name);
struct instance *manager_add(struct manager *m, struct record *record); /* takes the record */
void instance_free(struct instance *instance);
struct replica *instance_find_replica(struct instance *instance, int64_t id);
struct replica *instance_add_replica(struct instance *instance, struct record_replica *record);
void instance_drop_replica(struct replica *replica); /* record entry too */
struct prepare *prepare_find(struct instance *instance, int64_t revision);
void prepare_free(struct prepare *p);
/* Asks for a turn of the engine, which begins when the loop comes round: what happens until then is one turn.
 * replica_kick() has decide() asked for a replica, instance_kick() for all of them; instance_changed() has
 * those told who watch. Nothing else happens here, so that anybody may call these at any time. */
void replica_kick(struct replica *replica);
void instance_kick(struct instance *instance);
void instance_changed(struct instance *instance);
int64_t replica_now_msec(const struct replica *replica); /* unix */
