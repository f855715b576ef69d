/* Implements requests.h. Each request changes the registry, in a batch with others, and the kernel, in a job
 * of its own. */
#include "quota-keeper/requests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/api/quota_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "quota-keeper/enforce.h"
#include "quota-keeper/recheck.h"
#include "quota-keeper/recovery.h"
#include "quota-keeper/registry_run.h"
#include "quota-keeper/sweep.h"
#include "quota-keeper/watch.h"

#define QUICK_ENTRIES 2000 /* files that a request visits before it moves to the pool of long walks */
#define RECLAIMS_MAX  3
#define RECLAIM_PAUSE (60 * USEC_PER_SEC) /* after a search for free ids that found none */

enum phase {
    PHASE_WAITING,     /* waits for the recovery, or for an earlier request of its container */
    PHASE_UNREGISTER,  /* a removal before its change of the registry; in a job */
    PHASE_TO_REGISTER, /* waits for the next batch */
    PHASE_REGISTERING,
    PHASE_RECLAIMING, /* no id is free: files that carry ids of others are put back */
    PHASE_ENFORCING,  /* changes the kernel in a job */
};

struct request {
    struct work work;
    struct request *next;
    struct manager *manager;
    enum request_kind kind;
    enum phase phase;
    struct varlink_call *call; /* NULL: a request without a caller, or the caller hung up */
    char *container;
    struct op op;
    bool followed;         /* the limit of inodes was raised once to the usage */
    bool long_walk;        /* there are many files to visit */
    unsigned reclaims;     /* number of searches for free ids for this request */
    struct sweep *sweep;   /* the sweep that this recheck is a part of; NULL: none */
    struct strays *strays; /* for a recheck */
    struct findings findings;
    struct quota_values values;
    int result;
    struct error e;
};

struct batch {
    struct work work;
    struct manager *manager;
    struct op **ops;
    struct request **requests;
    size_t n;
    struct notes notes;
};

static bool has_values(const struct request *q)
{
    return q->kind == REQUEST_ENSURE || q->kind == REQUEST_RECHECK;
}

static bool is_removal(const struct request *q)
{
    return q->kind == REQUEST_REMOVE || q->kind == REQUEST_REMOVE_IF_GONE;
}

static void request_free(struct request *q)
{
    op_clear(&q->op);
    schema_done(&quota_values_schema, &q->values);
    findings_clear(&q->findings);
    free(q->strays);
    free(q->container);
    free(q);
}

static void reply(struct request *q)
{
    struct varlink_call *call = TAKE_PTR(q->call);
    static const char *const names[] = {"Ensure", "Recheck", "Release", "Remove", "giving an id back"};
    if (q->result < 0 && q->e.class != ERROR_NOT_FOUND && q->e.class != ERROR_NOT_SUPPORTED)
        log_warning("%s: %s", names[q->kind], q->e.message);
    if (!call)
        return;
    varlink_call_on_gone(call, NULL, NULL);
    if (q->result < 0)
        varlink_error(call, &q->e);
    else
        varlink_reply(call, has_values(q) ? &q->values : NULL);
}

static void finish(struct request *q)
{
    struct manager *m = q->manager;
    for (struct request **at = &m->requests; *at; at = &(*at)->next)
        if (*at == q) {
            *at = q->next;
            break;
        }
    if (q->result >= 0 && has_values(q) && q->phase == PHASE_ENFORCING)
        watch_see(m, &q->values);
    for (size_t i = 0; i < q->findings.n; i++)
        log_warning("%s", q->findings.items[i]->message);
    q->values.put_back = TAKE_PTR(q->findings.items);
    q->values.n_put_back = q->findings.n;
    q->findings.n = 0;
    if (q->sweep)
        sweep_one_done(q->sweep, q->container, &q->values, q->result, &q->e);
    else
        reply(q);
    request_free(q);
    watch_arm(m);
    requests_run(m);
}

/* --- the kernel --- */

static void enforce_work(struct work *work)
{
    struct request *q = (struct request *)work;
    struct registry *r = &q->manager->registry;
    const struct enforce_options options = {.entries_max = q->long_walk ? 0 : QUICK_ENTRIES};
    switch (q->kind) {
    case REQUEST_ENSURE:
        q->result = enforce_item(r, &q->op.item, &options, &q->values, &q->e);
        break;
    case REQUEST_RECHECK:
        q->result = recheck_run(r, q->container, q->strays, &q->findings, &q->values, &q->e);
        break;
    case REQUEST_RELEASE:
        q->result = q->op.found ? enforce_lift(r, &q->op.item, &q->e) : 0;
        break;
    default:
        break;
    }
}

/* Reports whether files that were not counted before they got the project exceed the limit of inodes that
 * was derived without them. */
static bool has_more_inodes(const struct request *q)
{
    return q->kind == REQUEST_ENSURE && q->result >= 0 && !q->followed && q->op.item.inodes_derived &&
           q->values.used_inodes > q->op.item.inodes;
}

static void enforce(struct request *q);

static void enforce_done(struct work *work)
{
    struct request *q = (struct request *)work;
    if (q->result == -E2BIG && !q->long_walk) {
        q->long_walk = true;
        enforce(q);
        return;
    }
    if (!has_more_inodes(q)) {
        finish(q);
        return;
    }
    q->followed = true;
    op_clear(&q->op);
    schema_done(&quota_values_schema, &q->values);
    q->values = (struct quota_values){.skipped = 0};
    q->phase = PHASE_TO_REGISTER;
    requests_run(q->manager);
}

static void enforce(struct request *q)
{
    struct manager *m = q->manager;
    struct workers *jobs = q->long_walk ? m->walks : m->jobs;
    q->phase = PHASE_ENFORCING;
    q->work = (struct work){.key = q->container, .run = enforce_work, .done = enforce_done};
    if (q->kind == REQUEST_RECHECK) {
        bool for_ids = q->sweep && sweep_is_for_ids(q->sweep); /* a request waits for these ids */
        q->strays = xcalloc(1, sizeof *q->strays);
        if (for_ids)
            *q->strays = (struct strays){.kernel = m->registry.kernel,
                                         .id_min = m->registry.ledger.id_min,
                                         .id_max = m->registry.ledger.id_max};
        jobs = for_ids ? m->walks : m->background;
    }
    workers_add(jobs, &q->work);
}

/* Starts a removal with the kernel: the ledger drops the item last, so that after a kill the next request
 * continues. */
static void unregister_work(struct work *work)
{
    struct request *q = (struct request *)work;
    struct registry *r = &q->manager->registry;
    struct ledger_item item;
    if (!registry_get(r, q->container, &item))
        return;
    /* The directory exists again, or it is not deleted yet; in the second case a later check gives the id
     * back. */
    bool is_used = q->kind == REQUEST_REMOVE_IF_GONE ? !recovery_is_gone(r, &item)
                                                     : recovery_is_on_its_way(r, q->container);
    if (is_used)
        q->result = -EBUSY;
    else
        q->result = enforce_remove(r, &item, q->long_walk ? 0 : QUICK_ENTRIES, &q->e);
    registry_item_clear(&item);
}

static void unregister(struct request *q);

static void unregister_done(struct work *work)
{
    struct request *q = (struct request *)work;
    if (q->result == -E2BIG && !q->long_walk) {
        q->long_walk = true;
        q->result = 0;
        unregister(q);
        return;
    }
    if (q->result < 0) {
        if (q->result == -EBUSY && q->e.errnum == 0)
            q->result = 0;
        finish(q);
        return;
    }
    q->phase = PHASE_TO_REGISTER;
    requests_run(q->manager);
}

static void unregister(struct request *q)
{
    q->phase = PHASE_UNREGISTER;
    q->work = (struct work){.key = q->container, .run = unregister_work, .done = unregister_done};
    workers_add(q->long_walk ? q->manager->walks : q->manager->jobs, &q->work);
}

/* --- the registry --- */

static void batch_work(struct work *work)
{
    struct batch *b = (struct batch *)work;
    registry_run(&b->manager->registry, b->ops, b->n, &b->notes);
}

/* Reports whether files that occupy ids are to be put back for this request: no id was free, and no recent
 * search was in vain. Each search visits all files of all replicas. */
static bool may_reclaim(const struct request *q)
{
    uint64_t in_vain = q->manager->reclaimed_in_vain;
    return q->op.no_ids && q->reclaims < RECLAIMS_MAX &&
           (in_vain == 0 || now_monotonic_usec() - in_vain > RECLAIM_PAUSE);
}

static bool reclaim_for(struct request *q)
{
    q->phase = PHASE_RECLAIMING;
    q->reclaims++;
    return true;
}

static void batch_done(struct work *work)
{
    struct batch *b = (struct batch *)work;
    struct manager *m = b->manager;
    bool reclaim = false;
    manager_tell(&b->notes);
    m->registering = false;
    for (size_t i = 0; i < b->n; i++) {
        struct request *q = b->requests[i];
        q->result = q->op.result;
        q->e = q->op.e;
        if (q->result >= 0 && !is_removal(q))
            enforce(q);
        else if (may_reclaim(q))
            reclaim = reclaim_for(q);
        else
            finish(q);
    }
    free(b->ops);
    free(b->requests);
    free(b);
    if (reclaim)
        sweep_reclaim(m);
    requests_run(m);
}

void requests_reclaimed(struct manager *m, bool again)
{
    for (struct request *q = m->requests, *next; q; q = next) {
        next = q->next;
        if (q->phase != PHASE_RECLAIMING)
            continue;
        if (again) {
            q->phase = PHASE_TO_REGISTER;
            q->op.result = 0;
            q->op.no_ids = false;
        } else {
            finish(q);
            next = m->requests; /* finish() can have ended further requests */
        }
    }
    requests_run(m);
}

static void register_all(struct manager *m)
{
    struct batch *b = xcalloc(1, sizeof *b);
    *b = (struct batch){.work = {.run = batch_work, .done = batch_done}, .manager = m};
    for (struct request *q = m->requests; q; q = q->next) {
        if (q->phase != PHASE_TO_REGISTER)
            continue;
        q->phase = PHASE_REGISTERING;
        b->ops = xrealloc(b->ops, b->n + 1, sizeof(struct op *));
        b->requests = xrealloc(b->requests, b->n + 1, sizeof(struct request *));
        b->requests[b->n] = q;
        b->ops[b->n++] = &q->op;
    }
    if (b->n == 0) {
        free(b);
        return;
    }
    m->registering = true;
    workers_add(m->jobs, &b->work);
}

/* --- the order --- */

/* Reports whether an earlier request of the container has to end first. A request that waits for ids does
 * not block the sweep that searches for them. */
static bool has_earlier(const struct manager *m, const struct request *q)
{
    bool for_ids = q->sweep && sweep_is_for_ids(q->sweep);
    for (const struct request *x = m->requests; x != q; x = x->next)
        if (streq(x->container, q->container) && !(x->phase == PHASE_RECLAIMING && for_ids))
            return true;
    return false;
}

void requests_run(struct manager *m)
{
    if (!m->recovered)
        return;
    for (struct request *q = m->requests, *next; q; q = next) {
        next = q->next;
        if (q->phase != PHASE_WAITING || has_earlier(m, q))
            continue;

        if (q->kind == REQUEST_RECHECK)
            enforce(q);
        else if (!is_removal(q))
            q->phase = PHASE_TO_REGISTER;
        else
            unregister(q);
    }
    if (!m->registering)
        register_all(m);
}

/* Drops a request that has not started; one that has runs on without its caller. */
static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct request *q = userdata;
    q->call = NULL;
    if (q->phase == PHASE_WAITING)
        finish(q);
}

static int on_begun(sd_event_source *source, void *userdata)
{
    (void)source;
    requests_run(userdata);
    return 0;
}

static struct request *begin(struct manager *m, enum request_kind kind, struct varlink_call *call,
                             const char *container, const struct kernel_limits *limits)
{
    /* REQUEST_RECHECK never uses its op. */
    static const enum op_kind ops[] = {OP_ENSURE, OP_REFRESH, OP_RELEASE, OP_REMOVE, OP_REMOVE};
    struct request *q = xcalloc(1, sizeof *q), **last = &m->requests;
    *q = (struct request){
        .manager = m, .kind = kind, .call = call, .container = xstrdup(container), .op = {.kind = ops[kind]}};
    q->op.container = q->container;
    if (limits)
        q->op.limits = *limits;
    while (*last)
        last = &(*last)->next;
    *last = q;
    if (call)
        varlink_call_on_gone(call, on_gone, q);
    /* Runs at the end of this iteration of the loop, so that requests that arrive together form one batch. */
    sd_event_source *source = NULL;
    if (sd_event_add_defer(m->event, &source, on_begun, m) < 0)
        abort();
    sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return q;
}

void request_begin(struct manager *m, enum request_kind kind, struct varlink_call *call,
                   const char *container, const struct kernel_limits *limits)
{
    begin(m, kind, call, container, limits);
}

void request_begin_recheck(struct manager *m, const char *name, struct sweep *sweep)
{
    begin(m, REQUEST_RECHECK, NULL, name, NULL)->sweep = sweep;
}

void requests_free(struct manager *m)
{
    for (struct request *q = m->requests, *next; q; q = next) {
        next = q->next;
        if (q->phase == PHASE_WAITING || q->phase == PHASE_TO_REGISTER || q->phase == PHASE_RECLAIMING)
            request_free(q);
    }
}
