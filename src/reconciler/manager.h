/* The reconciler's state: instances, their replicas, what the runtime shows of them. manager.c starts it and
 * owns the list of instances; each of the other files does one thing to it:
 *
 *   methods.c  answers calls          apply.c    manifests into records     plan.c     what would change, and
 * what forbids it rollout.c  whose turn it is       replica.c  the next step of a replica steps.c    carries
 * a step out by one call prepare.c  image and packages     observe.c  events and inspections     crash.c
 * exits in a row journal.c  what must be written    stages.c   stages of the contract    store.c    files
 *   spec.c     what workers are asked  ports.c    host ports                report.c   what callers are shown
 *   release.c  revisions let go        zone.c     what the zone wants        zone_order.c  an order of it,
 * into the record facts.c    what it says of us      secret.c   the replicas' secrets     agent.c    what
 * agents report quota.c    limits of disk space       unreadable.c records that cannot be read */
#pragma once

#include <systemd/sd-event.h>

#include "lib/api/container_driver.h"
#include "lib/api/quota_keeper.h"
#include "lib/api/reconciler.h"
#include "lib/app/app.h"
#include "lib/service/service.h"
#include "lib/varlink/client.h"
#include "reconciler/model/record.h"
#include "reconciler/rules/decide.h"

struct manager;
struct instance;

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
    unsigned quick, attempt; /* calls whose worker died, failures; in a row */
    uint64_t next_retry;     /* unix milliseconds */
    sd_event_source *timer;
    char *failure;
};

struct replica {
    struct instance *instance;
    struct record_replica *record;
    struct driver_container current, old; /* as last seen; state missing for none */
    bool observed;                        /* they were read since the runtime was subscribed to */
    bool stale;                           /* something happened: read them again */
    enum replica_state state;
    enum step step;                  /* the one being done; STEP_SETTLED while none */
    enum step last;                  /* what decide() said last */
    struct varlink_request *request; /* of the step, or of an inspection */
    bool quota_set, provisioned, restored, data_removed;
    bool purging; /* the step that is being done deletes its data, and counts among the manager's purges */
    bool quota_missing;    /* it could not be set: asked again when quota-keeper has something new */
    int quota_level;       /* enum quota_level, as last told */
    char *quota_lost;      /* why limits that were set are not enforced any more */
    uint64_t drift_mended; /* monotonic µs of the last recreation for drift */
    int64_t mended_cpu, mended_memory; /* the limits it was made for */
    unsigned quick, attempt;           /* of the present step in a row: calls whose worker died, failures */
    uint64_t next_retry;               /* unix milliseconds; 0: none */
    sd_event_source *timer;            /* retry or end of probation */
    char *message;
    int64_t exits[3]; /* unix milliseconds of the last exits that nobody asked for */
    sd_event_source *crash_timer;
    bool turn_taken; /* it began a switch that is not over */
    bool drifting;   /* it was seen to have drifted: once it is stopped for that, its ports tell no more */
    unsigned updates_due; /* events of changes that we made ourselves */
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
    bool kick;             /* its replicas are to be asked again at the end of this turn of the loop */
    bool letting_go;       /* nothing is left of it but its packages, which are being removed */
    unsigned removals;     /* of those that are under way */
    sd_event_source *save_timer, *changed_source;
    struct instance *next;
};

/* An instance whose record cannot be read. */
struct unreadable {
    struct unreadable *next;
    char *name, *path, *reason;
    int64_t *ports; /* host ports of its containers, as far as they were seen */
    size_t n_ports;
    struct app_instance
        *order; /* of the zone for this name, which waits; NULL: none. Not durable: it is told again */
    int64_t order_since; /* unix milliseconds */
};

struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
    char *name; /* NULL: all */
};

struct manager {
    struct service_context *context;
    sd_event *event;
    char *state_dir, *driver_socket, *fetcher_socket, *unpacker_socket, *provisioner_socket, *quota_socket;
    char *host_id;                         /* our own, made once; NULL: it cannot be read */
    struct reconciler_zone_facts *zone;    /* NULL: we belong to none, or it cannot be read */
    char *host_id_problem, *facts_problem; /* why not; NULL: they can be read, or are not there */
    struct instance *instances;
    struct unreadable *unreadable;
    struct watcher *watchers;
    struct varlink_request *watch, *list, *quota_watch, *quota_list, *deletions;
    sd_event_source *watch_timer, *quota_timer, *quota_retry_timer;
    unsigned watch_failures, quota_failures, quota_retries;
    unsigned purges; /* under way */
    bool subscribed; /* the runtime's events flow and everything was listed */
    char *runtime_failure;
    struct driver_info_out *info; /* of the runtime; NULL: not known yet */
    uint64_t info_asked;          /* monotonic µs */
};

extern const char *const reconciler_failpoints[];

/* manager.c */
int manager_new(struct service_context *context, struct manager **ret, struct error *e);
void manager_free(struct manager *m);
struct instance *manager_find(struct manager *m, const char *name);
struct instance *manager_add(struct manager *m, struct record *record); /* takes the record */
void manager_forget(struct instance *instance);                         /* gone for good: file and all */
struct replica *instance_find_replica(struct instance *instance, int64_t id);
struct replica *instance_add_replica(struct instance *instance, struct record_replica *record);
void instance_drop_replica(struct replica *replica); /* record entry too */
enum want replica_want(const struct replica *replica);
bool has_data(const struct record_revision *revision); /* init = inagent */
struct record_revision *instance_target(const struct instance *instance);
/* Starts a call to a worker; failures come through the callback. */
struct varlink_request *manager_call(struct manager *m, const char *socket,
                                     const struct varlink_interface *interface, const char *method,
                                     const void *in, bool more, uint64_t timeout_usec,
                                     varlink_answer_fn on_answer, void *userdata);
uint64_t backoff_msec(struct manager *m, unsigned attempt);
void manager_set_info(struct manager *m, const struct driver_info_out *info); /* copies */
void set_string(char **to, const char *value);

/* unreadable.c */
void unreadable_add(struct manager *m, const char *file, const char *reason); /* 'file' ends in ".json" */
void unreadable_free_all(struct manager *m);
struct unreadable *unreadable_find(const struct manager *m, const char *name);
char *unreadable_problem(const struct unreadable *u); /* the caller frees */
int unreadable_refuse(const struct unreadable *u, struct error *e);
void unreadable_saw(struct manager *m, const struct driver_container *c); /* one that the runtime lists */
const struct unreadable *unreadable_owner(const struct manager *m, int64_t port);
struct reconciler_instance *unreadable_report(const struct manager *m, const struct unreadable *u);
int unreadable_put_order(struct manager *m, struct unreadable *u, const struct app_instance *wanted,
                         struct reconciler_zone_out *out, struct error *e);
/* The file is kept aside, and what the name has on this machine goes. 'u' is gone where it succeeds. */
int unreadable_destroy(struct manager *m, struct unreadable *u, bool purge, struct error *e);
/* Why nothing at all is done for the instance: something that it is made from cannot be read. NULL: it may go
 * on. */
const char *instance_blocked(const struct instance *instance);

/* zone.c */
/* What is wanted: the order, or what a hold or the configuration makes of it: start, stop, destroy, none.
 * Borrowed. */
const char *instance_action(const struct instance *instance);
const char *replica_action(const struct replica *replica);
int64_t instance_revision(const struct instance *instance); /* the number that its stages carry */
const char *instance_host_id(const struct instance *instance);
char *instance_problem(
    const struct instance *instance); /* why the zone's order is not followed; the caller frees */
/* Whether nothing is left of it, and nobody is to hear of it any more. */
bool instance_is_over(const struct instance *instance);
/* Whether a replica that is gone is still shown: the zone is to hear of it, until it has it no more. */
bool replica_stays_known(const struct replica *replica);
/* A local instance is gone, whose name an order of the zone waited for. Takes 'next', which may be NULL. */
void zone_take_over(struct manager *m, struct app_instance *next);
int method_put_zone_state(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_hold(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_release(struct varlink_call *call, const void *in, void *userdata, struct error *e);

/* zone_order.c: 'instance' is NULL for one that is not known yet. The name has been checked, and the facts
 * are there. 'refused': why it is not followed, whatever it says; NULL: it is looked at. */
int zone_order(struct manager *m, struct instance *instance, const struct app_instance *wanted,
               const char *refused, bool *changed, struct error *e);
/* Which replicas of the manifest are this host's: new ones come, others are marked. True when that changed.
 */
bool zone_assign_replicas(struct record *record, const struct app_manifest *manifest, const char *host_id);

int secrets_prepare(struct manager *m, struct error *e);
/* secret.c: 34 hex digits per container, which survive its destruction. The caller frees. */
char *replica_secret(
    const struct replica *replica); /* makes one where there is none; NULL: it cannot be kept now */
/* Whether it is the replica's; takes the same time for every wrong one, and where there is no such replica
 * (NULL). */
bool secret_fits(struct manager *m, const struct replica *replica, const char *secret);
int method_import_secret(struct varlink_call *call, const void *in, void *userdata, struct error *e);
void secret_forget(const struct replica *replica); /* its data was deleted */

/* agent.c */
int method_agent_report(struct varlink_call *call, const void *in, void *userdata, struct error *e);

/* facts.c */
int facts_load(struct manager *m, struct error *e);
int facts_put(struct manager *m, const struct reconciler_zone_facts *facts, bool *changed, struct error *e);

/* replica.c: asks decide() and goes on; safe to call at any time, from anywhere but decide() itself. */
void replica_kick(struct replica *replica);
void instance_kick(struct instance *instance);
void instance_kick_soon(struct instance *instance); /* from within a step: not to come back to where we are */
void replica_set_state(struct replica *replica, enum replica_state state);
void replica_retry_later(struct replica *replica, const struct error *e);
void replica_forget_failure(struct replica *replica);
int64_t replica_target_revision(const struct replica *replica);
/* Notes, where the current container is about to be replaced although it was made from what is wanted (or
 * nobody knows from what), that this is for drift. */
void replica_note_drift(struct replica *replica);
uint64_t replica_probation_msec(const struct replica *replica);

/* steps.c */
#define CALL_TIMEOUT (60 * USEC_PER_SEC)
char *container_name(const struct replica *replica); /* the caller frees */
const struct record_revision *target_of(const struct replica *replica);
void step_answer(const void *out, bool continues, const struct error *e,
                 void *replica); /* of the step's call */
void step_start(struct replica *replica, enum step step);
void step_request_done(struct replica *replica, const void *out, const struct error *e);
void step_finish(struct replica *replica); /* it succeeded: what is next? */

/* journal.c */
void journal_commit(struct replica *replica);
void journal_begin_undo(struct replica *replica, const char *reason, const char *stage);
void journal_fail(struct replica *replica,
                  const struct driver_tail_out *last_words); /* the container did not stay up */
void journal_undone(struct replica *replica);
void journal_gone(struct replica *replica); /* nothing is left of a replica that stays known */

/* spec.c: from a revision to what the workers are asked for. */
struct port_list {
    struct app_service_port *const *items;
    size_t n_items;
};
/* The host ports that a container of this revision has. */
struct port_list replica_ports(const struct replica *replica, int64_t revision);
const char *replica_vpc_ipv4(const struct replica *replica,
                             const struct record_revision *revision); /* or NULL */
struct driver_create_in *make_create(const struct replica *replica, const struct record_revision *revision);
void free_create(struct driver_create_in *create);
/* Hash of what a container is made from; 'image' may be NULL. The caller frees. */
char *create_config(const struct driver_create_in *create, const char *image);
struct app_replica_instance *make_replica_file(const struct replica *replica,
                                               const struct record_revision *revision);
int64_t stop_timeout_msec(const struct replica *replica);

/* rollout.c */
bool rollout_turn(const struct replica *replica);
bool rollout_stopped(
    const struct instance *instance); /* a replica failed: the others stay with the old revision */

/* prepare.c */
bool prepare_is_done(struct instance *instance, int64_t revision);
struct prepare *prepare_find(struct instance *instance, int64_t revision);
void prepare_start(struct instance *instance, int64_t revision);
/* What was there may have gone: it is looked at again before the next container is made of it. */
void prepare_redo(struct instance *instance, int64_t revision);
void prepare_free(struct prepare *p);
void prepare_drop(struct instance *instance,
                  int64_t revision); /* it is another one now: from the beginning */
void prepare_forget_failure(struct instance *instance, int64_t revision);

/* release.c */
/* Those of the revision that no instance uses any more; it is no part of a record by now. */
void release_packages(struct manager *m, const struct record_revision *revision);
/* Nothing is left of the instance: its packages go before its record does, so that whoever is killed, the
 * next life knows of them. True when they are gone. */
bool instance_let_go(struct instance *instance);
void instance_release_revisions(
    struct instance *instance); /* those that no replica uses, and their packages */

/* observe.c */
void observe_start(struct manager *m);
void observe_runtime(struct manager *m); /* somebody looks at m->info: asks for it again when it is old */
void observe_replica(struct replica *replica); /* inspects both slots, then kicks */
bool replica_drifted(const struct replica *replica, const struct record_revision *revision);

/* quota.c */
void quota_start(struct manager *m); /* begins to hear of levels */
void quota_stop(struct manager *m);
/* Whether the limit that is to be set is larger than the one that was. */
bool quota_raises(const struct replica *replica);
void quota_write_failed(struct replica *replica); /* a file could not be written: perhaps for want of room */
void quota_ensure(struct replica *replica);       /* the calls of its steps */
void quota_remove_data(struct replica *replica);
/* Whether its data may go now: so many purges are under way at most. It is asked again when one is over. */
bool quota_may_remove_data(const struct replica *replica);
void quota_purge_over(
    struct replica *replica); /* where its step deleted data, that has ended, one way or another */
/* It is wanted again while its old data is being deleted: what is hidden goes all the same, and is in
 * nobody's way. */
void quota_leave_purge(struct replica *replica);
void quota_was_set(struct replica *replica, const struct quota_values *values);
/* Whether the step goes on without: the reason is noted, to be shown. */
bool quota_may_be_missing(struct replica *replica, const struct error *e);
char *quota_text(const struct replica *replica); /* for people; NULL: nothing is limited. The caller frees. */

/* crash.c */
void crash_note_exit(struct replica *replica, int64_t exit_code);
void crash_forget(struct replica *replica);
bool crash_looping(const struct replica *replica);

/* stages.c */
void stage_set(struct replica *replica, const char *name, const char *state, const char *message);
/* An order of the zone is in the record: its first stage goes to disk with it. */
void stages_received(struct record *record);
bool stage_is_own(const char *name);         /* one of hostlet's, by its name */
void stages_proven(struct replica *replica); /* its revision runs: whatever led here is over */
/* Replaces those of the agent. Takes the stages, not the array. */
void stages_of_agent(struct replica *replica, struct app_stage **stages, size_t n);
void instance_stage_set(struct instance *instance, const char *name, const char *state, const char *message);

/* store.c */
int store_load(struct manager *m, struct error *e);
int store_save(struct instance *instance, struct error *e); /* durable when it returns 0 */
void store_save_soon(struct instance *instance);            /* within a second; for what may be lost */
/* The same for what a tenant may change as often as he likes: soon at first, and then seldom. Any other save
 * has it too. */
void store_save_sparingly(struct instance *instance);
void store_remove(struct instance *instance);

/* apply.c */
int apply_manifest(struct manager *m, struct app_manifest *manifest, struct reconciler_apply_out *out,
                   struct error *e);
int apply_action(struct instance *instance, const char *action, bool purge, struct reconciler_apply_out *out,
                 struct error *e);
void instance_add_replicas(struct instance *instance); /* those that are in the record alone */
/* Makes a record the instance's, durably, or a new instance of it. Takes the record, also on failure. */
int apply_record(struct manager *m, struct instance **instance, struct record *record, struct error *e);
void apply_begin(struct instance *instance); /* forgets pauses, and looks before acting */
void apply_out_done(struct reconciler_apply_out *out);
void add_change(struct reconciler_apply_out *out, const char *subject, const char *action,
                const char *reason);

/* plan.c: fills changes and refusals; the manifest is checked and normalised. 'containers' is what the
 * runtime lists. */
struct plan_containers {
    struct driver_container **items;
    size_t n_items;
    bool known; /* the runtime answered */
};
void plan_make(struct manager *m, const struct app_manifest *manifest,
               const struct plan_containers *containers, struct reconciler_apply_out *out);
int ports_resolve(struct manager *m, const struct record *record, const struct app_manifest *manifest,
                  struct record_replica *replica, struct error *e);

/* report.c */
struct reconciler_instance *report_instance(const struct instance *instance);
/* Adds to 'to' that an order of the zone, which waits since then, has failed on this host (NULL: of no zone),
 * for 'to->problem'. */
void report_clash(const struct app_instance *order, int64_t since, const char *host_id,
                  struct reconciler_instance *to);
void unreadable_changed(struct manager *m, const struct unreadable *u); /* tells the watchers */
void instance_changed(struct instance *instance); /* tells the watchers, once per turn of the loop */
void watchers_gone(struct instance *instance);    /* tells the watchers that it is no more */

extern const struct varlink_handlers reconciler_handlers[];
