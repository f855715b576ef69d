/* Implements deliver.h. deliver_instances.c goes through the instances of an answer, deliver_known.c
 * stores what the reconciler has. */
#include "rpc-gateway/deliver.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "lib/schema/object.h"
#include "rpc-gateway/deliver_instances.h"
#include "rpc-gateway/problems.h"
#include "rpc-gateway/zone_answer.h"

#define PUT_TIMEOUT_USEC (30 * USEC_PER_SEC)
#define LARGE_ANSWER     ((size_t)1 << 20)

/* pauses while the reconciler cannot be reached */
static const struct retry_policy policy = {50 * USEC_PER_MSEC, 5 * USEC_PER_SEC};

void deliver_problem(struct deliver *d, const char *fmt, ...)
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

void deliver_see(struct deliver *d, struct known *k)
{
    k->answer = d->count;
    if (k->problem)
        deliver_problem(d, "instance %s: %s", k->name, k->problem);
}

/* --- runs --- */

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

/* Starts a run soon, unless one is in progress, which includes the new data, or a pause after a failure. */
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
        d->waiting = (struct answer_bytes){NULL, 0};
    }
    d->running = true;
    d->count++;
    d->at = d->n_seen = 0;
    d->n_instances = zone_answer_count(d->now.data, d->now.size);
    d->not_understood = d->postponed_done = false;
    d->postponed = (struct answer_bytes){NULL, 0};
    problems_done(&d->problems);
    known_index(&d->known);
    if (d->facts_problem)
        deliver_problem(d, "%s", d->facts_problem);
    deliver_advance(d);
}

void deliver_run_failed(struct deliver *d, const struct error *e)
{
    log_debug("zone: not delivered to the reconciler: %s", e->message);
    d->running = false;
    timer_arm(&d->timer, d->caller.event, retry_next(&d->retry, &policy), on_timer, d);
}

static void run_done(struct deliver *d)
{
    bool large = d->now.size > LARGE_ANSWER, with_answer = d->now.data;
    free(d->now.data);
    d->now = (struct answer_bytes){NULL, 0};
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

void deliver_put(struct deliver *d, const struct reconciler_zone_in *in, varlink_answer_fn on_answer)
{
    d->call =
        call_start(&d->caller, &call_reconciler, "PutZoneState", in, false, PUT_TIMEOUT_USEC, on_answer, d);
}

bool deliver_is_refusal(const struct error *e)
{
    return e && (e->class == ERROR_REFUSED || e->class == ERROR_NOT_FOUND || e->class == ERROR_CONFLICT ||
                 e->class == ERROR_NOT_SUPPORTED);
}

/* --- facts --- */

static void on_facts(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct deliver *d = userdata;
    d->call = NULL;
    if (e && !deliver_is_refusal(e)) {
        schema_free(&reconciler_zone_facts_schema, TAKE_PTR(d->facts_told));
        deliver_run_failed(d, e);
        return;
    }
    free(d->facts_problem);
    d->facts_problem = e ? xasprintf("the facts of this machine: %s", e->message) : NULL;
    if (e)
        deliver_problem(d, "%s", d->facts_problem);
    deliver_advance(d);
}

static void put_facts(struct deliver *d)
{
    /* Counts as delivered from here on: facts that change meanwhile are due again. */
    if (d->facts_told)
        schema_free(&reconciler_zone_facts_schema, d->facts_told);
    d->facts_told = xcalloc(1, sizeof *d->facts_told);
    schema_copy(&reconciler_zone_facts_schema, d->facts, d->facts_told);
    deliver_put(d, &(struct reconciler_zone_in){.facts = d->facts}, on_facts);
}

/* --- the list of names --- */

static void on_assigned(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct deliver *d = userdata;
    const struct reconciler_zone_out *told = out;
    d->call = NULL;
    if (e && !deliver_is_refusal(e)) {
        d->assigned_told = false;
        deliver_run_failed(d, e);
        return;
    }
    if (e)
        deliver_problem(d, "the list of instances: %s", e->message);
    for (size_t i = 0; told && i < told->n_unknown; i++) {
        struct known *k = known_by_name(&d->known, told->unknown[i]);
        if (k && !k->refused) { /* the reconciler has lost it: the next answer delivers it again */
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
    deliver_put(d, &(struct reconciler_zone_in){.assigned = &assigned}, on_assigned);
    free(assigned.names);
}

void deliver_advance(struct deliver *d)
{
    if (facts_due(d)) {
        put_facts(d);
        return;
    }
    if (deliver_put_instances(d))
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

/* --- input --- */

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
    d->waiting = (struct answer_bytes){data, size};
    run_soon(d);
}

void deliver_nothing(struct deliver *d)
{
    d->assigned_told = false;
    if (d->facts) /* agents report to the socket of this machine again */
        set_string(&d->facts->status_url, NULL);
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
