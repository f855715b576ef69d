/* What changes something: Ensure, Release, Remove. Each request goes through the registry, by batches, and through the kernel, in a
 * job of its own; see manager.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/api/workers.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "quota-keeper/enforce.h"
#include "quota-keeper/manager.h"
#include "quota-keeper/recovery.h"

enum phase {
    PHASE_WAITING,     /* for the recovery, or for an earlier request of its container */
    PHASE_UNREGISTER,  /* of a removal: before the registry, in a job */
    PHASE_TO_REGISTER, /* for the next batch */
    PHASE_REGISTERING,
    PHASE_ENFORCING, /* in a job */
};

struct request {
    struct job job;
    struct request *next;
    struct manager *manager;
    enum request_kind kind;
    enum phase phase;
    struct varlink_call *call; /* NULL: nobody waits (any more) */
    char *container;
    struct op op;
    bool followed; /* the limit of inodes was made to follow what is there */
    struct quota_values values;
    int result;
    struct error e;
};

struct batch {
    struct job job;
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
    reply(q);
    request_free(q);
    watch_arm(m);
    requests_run(m);
}

/* --- the kernel --- */

static void enforce_work(struct job *job)
{
    struct request *q = (struct request *)job;
    struct registry *r = &q->manager->registry;
    switch (q->kind) {
    case REQUEST_ENSURE:
    case REQUEST_RECHECK:
        q->result = enforce_item(r, &q->op.item, q->kind == REQUEST_RECHECK, &q->values, &q->e);
        break;
    case REQUEST_RELEASE:
        q->result = q->op.found ? enforce_lift(r, &q->op.item, &q->e) : 0;
        break;
    default:
        break;
    }
}

/* What was not counted before it got the project is more than the limit that was derived without it. */
static bool has_more_inodes(const struct request *q)
{
    return q->kind == REQUEST_ENSURE && q->result >= 0 && !q->followed && q->op.item.inodes_derived &&
           q->values.used_inodes > q->op.item.inodes;
}

static void enforce_done(struct job *job)
{
    struct request *q = (struct request *)job;
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
    q->phase = PHASE_ENFORCING;
    q->job = (struct job){.key = q->container, .work = enforce_work, .done = enforce_done};
    jobs_add(q->manager->jobs, &q->job);
}

/* A removal begins with the kernel: the ledger lets go last, so that whoever is killed, the next one goes on. */
static void unregister_work(struct job *job)
{
    struct request *q = (struct request *)job;
    struct registry *r = &q->manager->registry;
    struct ledger_item item;
    if (!registry_get(r, q->container, &item))
        return;
    /* It came back meanwhile; or it is not deleted yet, and a check gives the id back when it is. */
    bool is_used = q->kind == REQUEST_REMOVE_IF_GONE ? !recovery_is_gone(r, &item)
                                                     : recovery_is_on_its_way(r, q->container);
    if (is_used)
        q->result = -EBUSY;
    else
        q->result = enforce_remove(r, &item, &q->e);
    registry_item_clear(&item);
}

static void unregister_done(struct job *job)
{
    struct request *q = (struct request *)job;
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
    q->job = (struct job){.key = q->container, .work = unregister_work, .done = unregister_done};
    jobs_add(q->manager->jobs, &q->job);
}

/* --- the registry --- */

static void batch_work(struct job *job)
{
    struct batch *b = (struct batch *)job;
    registry_run(&b->manager->registry, b->ops, b->n, &b->notes);
}

static void batch_done(struct job *job)
{
    struct batch *b = (struct batch *)job;
    struct manager *m = b->manager;
    manager_tell(&b->notes);
    m->registering = false;
    for (size_t i = 0; i < b->n; i++) {
        struct request *q = b->requests[i];
        q->result = q->op.result;
        q->e = q->op.e;
        if (q->result >= 0 && !is_removal(q))
            enforce(q);
        else
            finish(q);
    }
    free(b->ops);
    free(b->requests);
    free(b);
    requests_run(m);
}

static void register_all(struct manager *m)
{
    struct batch *b = xcalloc(1, sizeof *b);
    *b = (struct batch){.job = {.work = batch_work, .done = batch_done}, .manager = m};
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
    jobs_add(m->jobs, &b->job);
}

/* --- the order --- */

static bool has_earlier(const struct manager *m, const struct request *q)
{
    for (const struct request *x = m->requests; x != q; x = x->next)
        if (streq(x->container, q->container))
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

        if (!is_removal(q))
            q->phase = PHASE_TO_REGISTER;
        else
            unregister(q);
    }
    if (!m->registering)
        register_all(m);
}

/* What was not begun is dropped; the rest goes on. */
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

void request_begin(struct manager *m, enum request_kind kind, struct varlink_call *call,
                   const char *container, const struct kernel_limits *limits)
{
    static const enum op_kind ops[] = {OP_ENSURE, OP_KEEP, OP_RELEASE, OP_REMOVE, OP_REMOVE};
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
    /* At the end of this turn of the loop: what comes at the same time goes into one batch. */
    sd_event_source *source = NULL;
    if (sd_event_add_defer(m->event, &source, on_begun, m) < 0)
        abort();
    sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
}

void requests_free(struct manager *m)
{
    for (struct request *q = m->requests, *next; q; q = next) {
        next = q->next;
        if (q->phase == PHASE_WAITING || q->phase == PHASE_TO_REGISTER)
            request_free(q);
    }
}
