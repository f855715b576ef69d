/* Declares the reconciler's state in memory: the manager, its instances, their replicas and the preparation
 * of their revisions. */
#pragma once

#include "lib/api/container_driver.h"
#include "lib/api/reconciler.h"
#include "reconciler/model/outside.h"
#include "reconciler/model/record.h"
#include "reconciler/model/settings.h"
#include "reconciler/rules/crash.h"
#include "reconciler/rules/decide.h"
#include "reconciler/rules/drift.h"
#include "reconciler/rules/uptime.h"

struct manager;
struct instance;
struct unreadable;
struct watcher;

enum prepare_state {
    PREPARE_NONE,
    PREPARE_RUNNING,
    PREPARE_DONE,
    PREPARE_WAITING, /* it failed, and is retried after a pause */
};

/* The preparation of one revision: its image and packages are brought to this machine. The record stores what
 * was resolved; the rest is lost with the process. */
struct prepare {
    struct instance *instance;
    int64_t revision;
    enum prepare_state state;
    uint64_t began; /* when it left PREPARE_NONE; CLOCK_MONOTONIC, microseconds */
    struct varlink_request *request;
    size_t package; /* index of the package in progress */
    char *network;  /* the zone's network that was checked and can be used; NULL: not checked yet */
    /* For a network that is made: its MTU in bytes (0: the runtime's default), and whether a rule of
     * net-keeper masquerades what leaves it. */
    int64_t vpc_mtu;
    bool vpc_masqueraded;
    /* What containers are created from: the reference, or the image's id if the reference names another image
     * by now. NULL: not known yet. */
    char *image;
    struct retry retry;  /* attempts in a row that failed */
    uint64_t next_retry; /* CLOCK_MONOTONIC, microseconds; 0: no retry is planned, or a quick one */
    struct timer timer;
    char *failure;
};

struct replica {
    struct instance *instance;
    struct record_replica *record;
    enum replica_state state;
    char *message;
    enum step step;                  /* the step in progress; STEP_SETTLED: none */
    enum step last;                  /* the last result of decide() */
    struct varlink_request *request; /* the call of the step or of an inspection; NULL: none */
    bool kick;                       /* the next turn calls decide() for the replica */
    int64_t target;       /* the revision that it runs at present (engine/target.h); 0: not chosen */
    bool turn_taken;      /* the replica began a switch that has not ended */
    int64_t switching_to; /* the revision of that switch; 0: an earlier process began it */
    /* started_at of the container that was down while the replica was not to run: it did not fail; 0: none */
    int64_t stopped_start;
    bool purging; /* the step deletes the data, and counts in the manager's 'purges' */

    /* The actual state of the containers. */
    struct {
        struct driver_container current, old; /* the last inspection; DRIVER_MISSING: none */
        /* A container of the replica that another program renamed; DRIVER_MISSING: none is known. */
        struct driver_container renamed;
        struct uptime uptime; /* of current */
        uint64_t found_at;    /* monotonic µs at which this process found current running; 0: it did not */
        bool observed;        /* false: nothing is known of them, and the replica waits */
        bool stale;           /* an event or a step changed them: inspect again */
        unsigned updates_due; /* expected events of this process's own updates */
        bool removal_overdue; /* STEP_REMOVING has taken too long */
        uint64_t removing_since; /* monotonic µs at which STEP_REMOVING began; 0: another step */
    } seen;

    /* Steps that this process has done and need not repeat. */
    struct {
        bool quota_set, provisioned, restored, data_removed;
    } done;

    uint64_t costly_reports; /* monotonic µs at which an agent's reports no longer count (model/agent.c) */

    /* The last request to run a task, which the agent has not reported yet (face/run_task.h). */
    struct {
        char id[65];    /* an id has 64 characters at most */
        uint64_t until; /* monotonic µs at which it counts as lost; 0: there is none */
    } asked;

    uint64_t files_sent; /* hash of the app_replica.json that was sent to the provisioner last */

    /* Failed attempts of the current step. */
    struct {
        struct retry count;
        uint64_t next;      /* CLOCK_MONOTONIC, microseconds; 0: no retry is planned */
        struct timer timer; /* fires also at the end of a probation */
    } retry;

    /* The step that copies volumes, with the desired state for which it began. */
    struct {
        bool active;
        int slot; /* of the container that is copied from */
        enum want want;
        int64_t revision;
        struct error error; /* why the copy failed, while what is there of it is removed */
        void (*over)(struct replica *replica, const void *out, const struct error *e); /* ends the step */
    } copying;

    /* CLOCK_MONOTONIC, when each of hostlet's stages began; 0: unknown, or in an earlier process. */
    uint64_t stages_began[_STAGE_MAX];

    struct {
        bool missing; /* the limit could not be set; it is requested again later (engine/quota.c) */
        int level;    /* enum quota_level, as quota-keeper reported it last */
        char *lost;   /* why the limit is no longer enforced; NULL: it is enforced, or was never set */
    } quota;

    struct {
        struct record_limits desired; /* of the current container */
        bool due;                     /* it has others */
        bool set;                     /* a call set them, and no inspection has shown them yet */
        struct retry count;           /* failed attempts to set them */
        uint64_t next;                /* CLOCK_MONOTONIC, microseconds; 0: no retry is planned */
        struct timer timer;
        char *failure; /* why they cannot be set; NULL: no attempt failed */
    } limits;

    struct drift drift;

    /* Exits without a request. */
    struct {
        struct crash_exits last;
        struct timer calm; /* ends a crash loop */
        /* The time, monotonic µs, for which the container did not run: 'idle' in all before 'idle_since',
         * since when it does not; 0: it runs. */
        uint64_t idle_since, idle;
        char *container;            /* the id of the container that exited last; NULL: none did */
        int64_t code, memory_limit; /* of the last exit */
        uint64_t at, oom_at; /* monotonic µs of the last exit, of the last kill for lack of memory; 0: none */
        int64_t n, n_oom;    /* since the reconciler started */
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
    uint64_t save_at;      /* when a dirty record is written; CLOCK_MONOTONIC, microseconds */
    uint64_t tenant_saves; /* when the tenant's share of writes is available again; the same clock */
    bool changed;          /* the next turn sends the instance to watchers */
    bool letting_go;       /* only its packages are left, and they are being removed */
    unsigned removals;     /* calls in progress that remove them */
    uint64_t notice_due;   /* when watchers may be sent what agents report next; the same clock */
    struct timer notice, save_timer;
    struct timer turn; /* armed: a turn is requested, see instance_changed() */
    struct instance *next;
};

/* The callbacks by which the engine notifies face. */
struct listener {
    void (*changed)(struct instance *instance);
    void (*gone)(struct instance *instance);
    /* An instance was removed, and its name is free. 'next' is the zone's order that waited for the name, or
     * NULL; the callback takes ownership. */
    void (*name_free)(struct manager *m, const char *name, struct app_instance *next);
};

struct directory;
struct follower;
struct network_pass;

struct manager {
    struct outside *outside;
    struct settings settings;
    timer_fn *turn; /* turn() of engine/turn.h; the instance is its userdata */
    const struct listener *listener;
    char *state_dir, *driver_socket, *fetcher_socket, *unpacker_socket, *provisioner_socket, *quota_socket,
        *net_socket;
    char *host_id;                         /* the machine's own, made once; NULL: the file cannot be read */
    struct reconciler_zone_facts *zone;    /* NULL: no zone, or the file cannot be read */
    char *host_id_problem, *facts_problem; /* why the file cannot be read; NULL: it can, or does not exist */
    struct instance *instances;
    struct unreadable *unreadable;
    struct watcher *watchers;
    struct removal *removals;          /* of packages, in progress (engine/release.c) */
    struct network_pass *network_pass; /* to net-keeper, in progress (face/zone_network.c); NULL: none */
    struct directory *directory;       /* of manifests; NULL: none is configured */
    struct follower *runtime, *quotas; /* of the Watch of container-driver and of quota-keeper */
    struct varlink_request *deletions;
    struct timer quota_retry_timer;
    struct retry quota_retry;
    unsigned purges; /* in progress */
    bool subscribed; /* container-driver's snapshot is complete, and its events arrive */
    char *runtime_failure;
    struct driver_info_out *info; /* of the runtime; NULL: not known yet */
    uint64_t info_asked;          /* CLOCK_MONOTONIC, microseconds */
};

/* Return NULL if no such object exists. */
struct instance *manager_find(struct manager *m, const char *name);
struct replica *instance_find_replica(struct instance *instance, int64_t id);
struct prepare *prepare_find(struct instance *instance, int64_t revision);

/* Adds an instance with its record's replicas. Takes ownership of the record. */
struct instance *manager_add(struct manager *m, struct record *record);
void instance_free(struct instance *instance);
/* Adds a replica in the order of ids; it points to 'record', an entry of the instance's record. */
struct replica *instance_add_replica(struct instance *instance, struct record_replica *record);
/* Frees a replica and removes its entry from the record, which the caller saves. */
void instance_drop_replica(struct replica *replica);
void prepare_free(struct prepare *p); /* cancels its call */

/* Request a turn of the engine, which runs in the next iteration of the event loop; all requests until then
 * are one turn. In it, decide() is called for a replica after replica_kick(), and for all replicas of the
 * instance after instance_kick(); watchers receive the instance after instance_changed() and instance_kick().
 * These functions only set flags and a timer, so that any code may call them at any time. */
void replica_kick(struct replica *replica);
void instance_kick(struct instance *instance);
void instance_changed(struct instance *instance);
/* Does the same for what an agent reported, but at most twice a second: the instance can have megabytes of
 * it, and a tenant reports as often as he likes. */
void instance_reported(struct instance *instance);
/* Return the present by the manager's clock: unix milliseconds, which are only shown, and microseconds of
 * CLOCK_MONOTONIC. */
int64_t replica_now_msec(const struct replica *replica);
uint64_t replica_monotonic_usec(const struct replica *replica);
