/* Implements keep.h. */
#include "net-keeper/keep.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

/* Comparisons in one turn: each is followed by one that verifies it. Others can be changing the network. */
#define ROUNDS_MAX 4
/* Notifications arrive in groups: the first one is not worth a comparison of its own. */
#define GATHER  (20 * USEC_PER_MSEC)
#define SPACING (100 * USEC_PER_MSEC) /* between two comparisons without a request */

static const struct retry_policy refused_policy = {USEC_PER_SEC, 60 * USEC_PER_SEC};

struct turn {
    bool requested;
    struct changes made;
    struct strings failures;
    /* Refusals of the last round for which another program can be the reason: see make_changes(). */
    struct strings crossed;
    bool read_failed;
};

static void on_timer(void *userdata);

static void on_changed(void *userdata)
{
    struct keep *k = userdata;
    if (!k->active)
        return;
    uint64_t now = now_monotonic_usec(), wait = damp_wait(&k->damp, now);
    uint64_t at = k->compared + SPACING > now + GATHER ? k->compared + SPACING : now + GATHER;
    at = now + wait > at ? now + wait : at;
    /* A refused change is repeated much later: it must not delay the repair of everything else. */
    if (!timer_armed(&k->timer) || k->timer.at > at)
        timer_arm_at(&k->timer, k->event, at, on_timer, k);
}

int keep_start(struct keep *k, sd_event *event, char *mark, uint32_t configured_mtu, struct error *e)
{
    k->event = event;
    k->mark = mark;
    k->configured_mtu = configured_mtu;
    int r = kernel_new(&k->kernel, e);
    return r < 0 ? r : watch_new(event, on_changed, k, &k->watch, e);
}

void keep_stop(struct keep *k)
{
    timer_stop(&k->timer);
    watch_free(k->watch);
    kernel_free(k->kernel);
    plan_done(&k->plan);
    map_done(&k->map);
    strings_clear(&k->problems);
    free(k->mark);
}

/* Makes the changes of the plan. An object that another program has added or removed meanwhile is no failure:
 * the next comparison decides. */
static void make_changes(struct keep *k, struct turn *turn)
{
    strings_clear(&turn->crossed);
    for (size_t i = 0; i < k->plan.changes.n; i++) {
        const struct change *change = &k->plan.changes.items[i];
        struct error e = ERROR_INIT;
        int r = failpoint_error("kernel.before_change", &e);
        if (r >= 0)
            r = kernel_change(k->kernel, &k->plan, change, k->mark, &e);
        if (r >= 0)
            r = failpoint_error("kernel.changed", &e);
        if (r >= 0) {
            k->changes++;
            *changes_add(&turn->made, change->kind) = *change;
        } else
            strings_add(r == -EEXIST || r == -ENOENT ? &turn->crossed : &turn->failures,
                        "the kernel refused to %s", e.message);
        if (r < 0 && change->kind == CHANGE_CREATE_DEVICE)
            break; /* nothing else can be made */
    }
}

/* Reads the actual state and plans the changes. */
static bool compare(struct keep *k, struct turn *turn)
{
    struct actual actual = {.n_links = 0};
    struct error e = ERROR_INIT;
    watch_drain(k->watch);
    k->compared = now_monotonic_usec();
    if (kernel_read(k->kernel, NET_DEVICE, &actual, &e) < 0) {
        strings_add(&turn->failures, "%s", e.message);
        turn->read_failed = true;
        return false;
    }
    const struct plan_input input = {k->active ? &k->map : NULL, &actual, k->mark, k->configured_mtu};
    plan_done(&k->plan);
    plan_make(&input, &k->plan);
    actual_done(&actual);
    return true;
}

/* Reports whether the changes correct what another program changed, and nothing else has changed: neither the
 * map nor the device that carries the network. */
static bool is_repair(const struct keep *k, const struct turn *turn)
{
    return !turn->requested && k->settled_mtu && k->plan.lower == k->settled_lower &&
           k->plan.mtu == k->settled_mtu;
}

static void log_changes(const struct turn *turn, bool repair)
{
    _cleanup_free_ char *text = changes_text(&turn->made);
    if (turn->made.n == 0)
        return;
    log_notice(repair ? "the zone's network was changed by another program, and is corrected: %s"
                      : "the zone's network: %s",
               text);
}

/* Stores the problems, and logs those that are new. */
static void set_problems(struct keep *k, struct turn *turn)
{
    struct strings all = {.n = 0};
    strings_append(&all, &k->map.problems);
    strings_append(&all, &k->plan.problems);
    strings_append(&all, &turn->failures);
    for (size_t i = 0; i < all.n; i++)
        if (!strings_contain(&k->problems, all.items[i]))
            log_warning("%s", all.items[i]);
    if (k->problems.n > 0 && all.n == 0 && k->active)
        log_notice("the zone's network is as required");
    strings_clear(&k->problems);
    k->problems = all;
}

/* Arranges the next comparison if this one did not end well. */
static void set_timer(struct keep *k, const struct turn *turn)
{
    timer_stop(&k->timer);
    if (!k->active && turn->failures.n == 0)
        return;
    if (turn->failures.n > 0)
        timer_arm(&k->timer, k->event, retry_next(&k->retry, &refused_policy), on_timer, k);
    else {
        k->retry = (struct retry){.failures = 0};
        if (k->plan.changes.n > 0) { /* another program changes it at this moment */
            uint64_t wait = damp_wait(&k->damp, now_monotonic_usec());
            timer_arm(&k->timer, k->event, wait > SPACING ? wait : SPACING, on_timer, k);
        }
    }
}

static const char fight[] =
    "another program changes the zone's network again and again: corrections are made "
    "with growing pauses, of a minute at most";

/* Counts a comparison without a request that found something to change. */
static void count_correction(struct keep *k, bool repair)
{
    uint64_t now = now_monotonic_usec();
    bool before = damp_is_fight(&k->damp, now);
    k->repairs += repair;
    damp_count(&k->damp, now);
    if (!before && damp_is_fight(&k->damp, now))
        log_warning("%s", fight);
}

static bool run(struct keep *k, bool requested)
{
    struct turn turn = {.requested = requested};
    bool repair = false;
    for (unsigned i = 0; i < ROUNDS_MAX && compare(k, &turn); i++) {
        if (k->plan.changes.n == 0 || turn.failures.n > 0)
            break;
        repair = repair || is_repair(k, &turn);
        make_changes(k, &turn);
    }
    /* What is refused in every round is not another program's change of the moment. */
    if (k->plan.changes.n > 0 && turn.failures.n == 0)
        strings_append(&turn.failures, &turn.crossed);
    if (!requested && turn.made.n > 0)
        count_correction(k, repair);
    if (k->active && k->plan.device_ok && k->plan.changes.n == 0 && !turn.read_failed) {
        k->settled_lower = k->plan.lower;
        k->settled_mtu = k->plan.mtu;
    }
    bool changed = turn.made.n > 0;
    log_changes(&turn, repair);
    set_problems(k, &turn);
    set_timer(k, &turn);
    watch_set(k->watch, k->active ? &k->map : NULL, k->plan.device, k->plan.lower);
    changes_done(&turn.made);
    strings_clear(&turn.failures);
    strings_clear(&turn.crossed);
    if (k->done)
        k->done(k->userdata);
    return changed;
}

static void on_timer(void *userdata)
{
    run(userdata, false);
}

bool keep_network(struct keep *k, const struct net_network *network)
{
    watch_set(k->watch, NULL, 0, 0);
    map_done(&k->map);
    k->active = network;
    k->settled_lower = 0;
    k->settled_mtu = 0;
    if (network)
        map_make(network, &k->map);
    return run(k, true);
}

void keep_problems(const struct keep *k, char ***ret, size_t *ret_n)
{
    for (size_t i = 0; i < k->problems.n; i++)
        schema_append_string(ret, ret_n, k->problems.items[i]);
    if (k->problems.more > 0) {
        _cleanup_free_ char *text = xasprintf("%zu more problems are not listed", k->problems.more);
        schema_append_string(ret, ret_n, text);
    }
    if (k->active && damp_is_fight(&k->damp, now_monotonic_usec()))
        schema_append_string(ret, ret_n, fight);
}

bool keep_host(const struct keep *k, size_t number, char **ret_problem)
{
    const struct plan_host *state = number < k->plan.n_hosts ? &k->plan.hosts[number] : NULL;
    const char *problem = k->map.hosts[number].problem ?: state ? state->problem : NULL;
    bool present = state && state->entry && state->route;
    if (!problem && !present && k->problems.n > 0)
        problem = k->problems.items[0]; /* what concerns all hosts */
    *ret_problem = xstrdup_null(problem);
    return present;
}

ssize_t keep_find_host(const struct keep *k, const char *id)
{
    for (size_t i = 0; i < k->map.n_hosts; i++)
        if (streq(k->map.hosts[i].host->id, id))
            return (ssize_t)i;
    return -1;
}
