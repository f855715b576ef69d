/* From the leader to the reconciler; see deliver.h. deliver_known.c keeps what the reconciler has. */
#include "rpc-gateway/deliver.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "rpc-gateway/deliver_known.h"
#include "rpc-gateway/problems.h"
#include "rpc-gateway/zone_answer.h"

#define PUT_TIMEOUT_USEC    (30 * USEC_PER_SEC)
#define INSTANCE_TEXT_MAX   ((size_t)8 << 20) /* as JSON: a message between processes has 16 MiB */
#define INSTANCE_VALUES_MAX ((size_t)100000)  /* and 262144 values */
#define TOO_LARGE           "has more than 8 MiB or 100000 values: not taken"
#define NAME_MAX_SIZE       63
#define REPLICAS_MAX        4096 /* of an instance of which no more is told than that it is refused */
#define LARGE_ANSWER        ((size_t)1 << 20)

/* While the reconciler is not to be had. */
static const struct retry_policy policy = {50 * USEC_PER_MSEC, 5 * USEC_PER_SEC};

struct answer {
    uint8_t *data; /* NULL: none */
    size_t size;
};

struct deliver {
    struct caller caller;
    struct timer timer; /* begins a run: soon, or after a failure */
    struct retry retry;
    bool running;
    struct call *call;

    struct reconciler_zone_facts *facts, *facts_told;
    char *facts_problem; /* of those that were told */
    struct known_list known;
    bool list_whole;    /* what is known is all that an answer had */
    bool assigned_told; /* the reconciler has the list as it is */

    struct answer waiting; /* takes the place of the one that is being delivered */
    struct answer now;     /* kept until all of it was delivered */
    size_t at, n_instances, n_seen;
    unsigned count;      /* of answers, and of tries */
    bool not_understood; /* something in the answer: its list of names is not complete */
    struct problems problems, shown;

    /* The instance that is being put. */
    struct deliver_hash put_raw, put_clean;
    char *put_name;
    /* The one that the last try ended at comes last, so that the others have their turn. */
    char *failed_name;
    struct answer postponed; /* a part of 'now' */
    bool postponed_done;
};

/* Each is logged when it comes, and shown for as long as it is so. */
static void problem(struct deliver *d, const char *fmt, ...) _printf_(2, 3);
static void problem(struct deliver *d, const char *fmt, ...)
{
    char text[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!problems_have(&d->shown, text) && !problems_have(&d->problems, text))
        log_warning("zone: %s", text);
    problems_add(&d->problems, text);
}

static void see(struct deliver *d, struct known *k)
{
    k->answer = d->count;
    if (k->problem)
        problem(d, "instance %s: %s", k->name, k->problem);
}

/* Runs */

static void advance(struct deliver *d);

static bool facts_due(const struct deliver *d)
{
    return d->facts &&
           (!d->facts_told || !schema_equal(&reconciler_zone_facts_schema, d->facts, d->facts_told));
}

static bool assigned_due(const struct deliver *d)
{
    return d->list_whole && !d->assigned_told;
}

static void on_timer(void *userdata);

/* Something came: a run goes on with it, or begins, unless a pause after a failure is on. */
static void run_soon(struct deliver *d)
{
    if (!d->running && !timer_armed(&d->timer))
        timer_arm(&d->timer, d->caller.event, 0, on_timer, d);
}

static void on_timer(void *userdata)
{
    struct deliver *d = userdata;
    if (d->waiting.data) {
        free(d->now.data);
        d->now = d->waiting;
        d->waiting = (struct answer){NULL, 0};
    }
    d->running = true;
    d->count++;
    d->at = d->n_seen = 0;
    d->n_instances = zone_answer_count(d->now.data, d->now.size);
    d->not_understood = d->postponed_done = false;
    d->postponed = (struct answer){NULL, 0};
    problems_done(&d->problems);
    known_index(&d->known);
    if (d->facts_problem)
        problem(d, "%s", d->facts_problem);
    advance(d);
}

/* The reconciler was not to be had: all of it again, after a pause. */
static void run_failed(struct deliver *d, const struct error *e)
{
    log_debug("zone: not delivered to the reconciler: %s", e->message);
    d->running = false;
    timer_arm(&d->timer, d->caller.event, retry_next(&d->retry, &policy), on_timer, d);
}

static void run_done(struct deliver *d)
{
    bool large = d->now.size > LARGE_ANSWER, with_answer = d->now.data;
    free(d->now.data);
    d->now = (struct answer){NULL, 0};
    d->running = false;
    d->retry.failures = 0;
    if (with_answer) {
        problems_done(&d->shown);
        d->shown = d->problems;
        d->problems = (struct problems){.n = 0};
    }
    if (large)
        malloc_trim(0);
    if (d->waiting.data || facts_due(d) || assigned_due(d))
        timer_arm(&d->timer, d->caller.event, 0, on_timer, d);
}

static void put(struct deliver *d, const struct reconciler_zone_in *in, varlink_answer_fn on_answer)
{
    d->call =
        call_start(&d->caller, &call_reconciler, "PutZoneState", in, false, PUT_TIMEOUT_USEC, on_answer, d);
}

/* What will be refused again, however often it is said. */
static bool is_refusal(const struct error *e)
{
    return e && (e->class == ERROR_REFUSED || e->class == ERROR_NOT_FOUND || e->class == ERROR_CONFLICT ||
                 e->class == ERROR_NOT_SUPPORTED);
}

/* What went wrong with this instance alone: the others have their turn, and the next answer is another try.
 */
static bool is_own_failure(const struct error *e)
{
    return e && (e->class == ERROR_FAILED || e->class == ERROR_UNAUTHORIZED);
}

/* Facts */

static void on_facts(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct deliver *d = userdata;
    d->call = NULL;
    if (e && !is_refusal(e)) {
        schema_free(&reconciler_zone_facts_schema, TAKE_PTR(d->facts_told));
        run_failed(d, e);
        return;
    }
    free(d->facts_problem);
    d->facts_problem = e ? xasprintf("the facts of this machine: %s", e->message) : NULL;
    if (e)
        problem(d, "%s", d->facts_problem);
    advance(d);
}

static void put_facts(struct deliver *d)
{
    /* Told from here on: others that come meanwhile are due again. */
    if (d->facts_told)
        schema_free(&reconciler_zone_facts_schema, d->facts_told);
    d->facts_told = xcalloc(1, sizeof *d->facts_told);
    schema_copy(&reconciler_zone_facts_schema, d->facts, d->facts_told);
    put(d, &(struct reconciler_zone_in){.facts = d->facts}, on_facts);
}

/* Instances */

static void on_instance(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct deliver *d = userdata;
    const struct reconciler_zone_out *told = out;
    d->call = NULL;
    if (e && !is_refusal(e) && !is_own_failure(e)) {
        free(d->failed_name);
        d->failed_name = TAKE_PTR(d->put_name);
        run_failed(d, e);
        return;
    }
    if (streq_null(d->failed_name, d->put_name))
        free(TAKE_PTR(d->failed_name));
    struct known *k = known_by_name(&d->known, d->put_name) ?: known_add(&d->known, d->put_name);
    k->raw = is_own_failure(e) ? (struct deliver_hash){0} : d->put_raw;
    k->clean = is_own_failure(e) ? (struct deliver_hash){0} : d->put_clean;
    k->refused = e;
    k->managed = e || told->managed;
    free(k->problem);
    k->problem = xstrdup_null(e ? e->message : told->problem);
    d->assigned_told = false;
    see(d, k);
    advance(d);
}

/* Unpacks one instance; what is wrong with it is a problem, and false. */
static bool take_instance(struct deliver *d, const uint8_t *data, size_t size, struct app_instance *ret)
{
    struct error e = ERROR_INIT;
    if (zone_answer_instance(data, size, ret, &e) >= 0)
        return true;
    problem(d, "an instance is not taken: %s", e.message);
    d->not_understood = true;
    return false;
}

static void refuse_here(struct deliver *d, const char *name, const struct deliver_hash *raw,
                        const struct deliver_hash *clean)
{
    struct known *k = known_by_name(&d->known, name) ?: known_add(&d->known, name);
    k->raw = *raw;
    k->clean = *clean;
    k->refused = k->managed = true;
    free(k->problem);
    k->problem = xstrdup(TOO_LARGE);
    d->assigned_told = false;
    see(d, k);
}

/* The zone hears why from the reconciler, which is told of the instance's name, order and replicas alone.
 * False: none of them is ours, or it cannot be unpacked. */
static bool put_refused(struct deliver *d, struct answer raw_bytes, const struct deliver_hash *raw)
{
    struct app_instance app = {.meta = NULL};
    bool ours = false;
    if (!d->facts || zone_answer_instance(raw_bytes.data, raw_bytes.size, &app, NULL) < 0)
        return false;
    for (size_t i = 0; app.deploy && i < app.deploy->n_replicas; i++)
        ours |= streq_null(app.deploy->replicas[i]->host_id, d->facts->host_id);
    struct known *k = known_by_name(&d->known, app.meta->name);
    bool begun = ours && !(k && k->answer == d->count) && strlen(app.meta->name) <= NAME_MAX_SIZE &&
                 app.deploy->n_replicas <= REPLICAS_MAX;
    if (begun) {
        struct app_deploy deploy = {.revision = app.deploy->revision,
                                    .replicas = app.deploy->replicas,
                                    .n_replicas = app.deploy->n_replicas};
        struct app_metadata meta = {.name = app.meta->name};
        struct app_instance stub = {.meta = &meta, .deploy = &deploy};
        d->put_raw = d->put_clean = *raw;
        free(d->put_name);
        d->put_name = xstrdup(meta.name);
        put(d, &(struct reconciler_zone_in){.instance = &stub, .refused = (char *)TOO_LARGE}, on_instance);
    }
    schema_done(&app_instance_schema, &app);
    return begun;
}

/* One that is too large already as it comes: of it, the name alone is read. */
static void refuse_unseen(struct deliver *d, struct answer raw_bytes, const struct deliver_hash *raw)
{
    _cleanup_free_ char *text = zone_answer_name(raw_bytes.data, raw_bytes.size, NAME_MAX_SIZE);
    if (!text) {
        problem(d, "an instance is not taken: it is too large, and has no proper name");
        d->not_understood = true;
        return;
    }
    refuse_here(d, text, raw, raw);
}

/* Whether a call was begun for an instance that is another than it was. */
static bool put_changed(struct deliver *d, struct answer raw_bytes, const struct deliver_hash *raw,
                        const struct app_instance *app)
{
    const char *name = app->meta->name;
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&app_instance_schema, app, &size);
    struct deliver_hash clean = deliver_hash_of(text, size);
    struct known *k = known_by_name(&d->known, name);
    if (k && k->answer == d->count) {
        problem(d, "instance %.64s: is in the answer twice: the first one counts", name);
    } else if (k && deliver_hash_same(&k->clean, &clean)) {
        k->raw = *raw;
        see(d, k);
    } else if (size > INSTANCE_TEXT_MAX || varlink_values(text, size) > INSTANCE_VALUES_MAX) {
        if (put_refused(d, raw_bytes, raw))
            return true;
        refuse_here(d, name, raw, &clean);
    } else if (streq_null(d->failed_name, name) && !d->postponed.data) {
        d->postponed = raw_bytes;
    } else {
        d->put_raw = *raw;
        d->put_clean = clean;
        free(d->put_name);
        d->put_name = xstrdup(name);
        put(d, &(struct reconciler_zone_in){.instance = (struct app_instance *)app}, on_instance);
        return true;
    }
    return false;
}

static bool put_instance(struct deliver *d, struct answer raw_bytes)
{
    struct app_instance app = {.meta = NULL};
    struct deliver_hash raw = deliver_hash_of(raw_bytes.data, raw_bytes.size);
    struct known *k = known_by_raw(&d->known, &raw);
    if (k && k->answer != d->count) {
        see(d, k);
        return false;
    }
    if (raw_bytes.size > INSTANCE_TEXT_MAX) {
        if (put_refused(d, raw_bytes, &raw))
            return true;
        refuse_unseen(d, raw_bytes, &raw);
        return false;
    }
    if (!take_instance(d, raw_bytes.data, raw_bytes.size, &app))
        return false;
    bool begun = put_changed(d, raw_bytes, &raw, &app);
    schema_done(&app_instance_schema, &app);
    return begun;
}

/* Goes through the answer until a call is begun; false at its end. */
static bool put_instances(struct deliver *d)
{
    const uint8_t *data;
    size_t size;
    while (zone_answer_next(d->now.data, d->now.size, &d->at, &data, &size)) {
        d->n_seen++;
        if (put_instance(d, (struct answer){(uint8_t *)data, size}))
            return true;
    }
    if (!d->postponed.data || d->postponed_done)
        return false;
    d->postponed_done = true;
    return put_instance(d, d->postponed);
}

/* The list of names */

static void on_assigned(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct deliver *d = userdata;
    const struct reconciler_zone_out *told = out;
    d->call = NULL;
    if (e && !is_refusal(e)) {
        d->assigned_told = false;
        run_failed(d, e);
        return;
    }
    if (e)
        problem(d, "the list of instances: %s", e->message);
    for (size_t i = 0; told && i < told->n_unknown; i++) {
        struct known *k = known_by_name(&d->known, told->unknown[i]);
        if (k && !k->refused) { /* it has lost it: the next answer brings it again */
            memset(&k->raw, 0, sizeof k->raw);
            memset(&k->clean, 0, sizeof k->clean);
        }
    }
    run_done(d);
}

static void put_assigned(struct deliver *d)
{
    struct reconciler_assignment assigned = {.n_names = 0};
    assigned.names = xcalloc(d->known.n + 1, sizeof *assigned.names);
    for (size_t i = 0; i < d->known.n; i++)
        if (d->known.items[i].managed)
            assigned.names[assigned.n_names++] = d->known.items[i].name;
    d->assigned_told = true;
    put(d, &(struct reconciler_zone_in){.assigned = &assigned}, on_assigned);
    free(assigned.names);
}

/* Goes on until a call is under way, or the end. Absence is no order, but it is told: of an answer that was
 * understood as a whole. */
static void advance(struct deliver *d)
{
    if (facts_due(d)) {
        put_facts(d);
        return;
    }
    if (put_instances(d))
        return;
    if (d->now.data && !d->not_understood) {
        d->assigned_told &= !known_drop_absent(&d->known, d->count);
        d->list_whole = true;
    }
    if (assigned_due(d) && !d->not_understood)
        put_assigned(d);
    else
        run_done(d);
}

/* What comes */

void deliver_facts(struct deliver *d, const struct reconciler_zone_facts *facts)
{
    if (d->facts)
        schema_free(&reconciler_zone_facts_schema, d->facts);
    d->facts = xcalloc(1, sizeof *d->facts);
    schema_copy(&reconciler_zone_facts_schema, facts, d->facts);
    if (facts_due(d))
        run_soon(d);
}

void deliver_answer(struct deliver *d, uint8_t *data, size_t size)
{
    free(d->waiting.data);
    d->waiting = (struct answer){data, size};
    run_soon(d);
}

void deliver_nothing(struct deliver *d)
{
    d->assigned_told = false;
    deliver_answer(d, xcalloc(1, 1), 0);
}

void deliver_forget(struct deliver *d)
{
    if (d->facts_told)
        schema_free(&reconciler_zone_facts_schema, TAKE_PTR(d->facts_told));
    d->assigned_told = false;
    if (facts_due(d) || assigned_due(d))
        run_soon(d);
}

size_t deliver_waiting(const struct deliver *d)
{
    size_t waiting = zone_answer_count(d->waiting.data, d->waiting.size);
    return d->waiting.data ? waiting
           : d->running    ? d->n_instances - d->n_seen
           : d->now.data   ? d->n_instances
                           : 0;
}

char *const *deliver_problems(const struct deliver *d, size_t *ret_n)
{
    *ret_n = d->shown.n;
    return d->shown.items;
}

struct deliver *deliver_new(const struct caller *caller)
{
    struct deliver *d = xcalloc(1, sizeof *d);
    d->caller = *caller;
    return d;
}

void deliver_free(struct deliver *d)
{
    if (!d)
        return;
    call_cancel(d->call);
    timer_stop(&d->timer);
    known_done(&d->known);
    problems_done(&d->problems);
    problems_done(&d->shown);
    if (d->facts)
        schema_free(&reconciler_zone_facts_schema, d->facts);
    if (d->facts_told)
        schema_free(&reconciler_zone_facts_schema, d->facts_told);
    free(d->facts_problem);
    free(d->failed_name);
    free(d->put_name);
    free(d->waiting.data);
    free(d->now.data);
    free(d);
}
