/* Implements wait.h with io.hostlet.Reconciler.Watch. */
#include "ctl/wait.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/apps.h"
#include "ctl/call.h"
#include "ctl/limit.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "lib/schema/object.h"
#include "lib/varlink/follow.h"

#define AGAIN_USEC    (100 * USEC_PER_MSEC) /* pause after a failed call */
#define PATIENCE_USEC (10 * USEC_PER_SEC)   /* time-out while the reconciler does not reply */
#define STUCK_USEC    (15 * USEC_PER_SEC)   /* time-out while the runtime is down */
#define OUTLOOK_USEC  (10 * USEC_PER_SEC)   /* time-out until it is known what follows a failed attempt */
#define WAIT_USEC     (300 * USEC_PER_SEC)  /* time-out without a limit of the command */

struct wait {
    const struct wait_options *options;
    char *socket;
    sd_event *event;
    struct clock clock;
    struct timer stuck, timeout, outlook;
    struct follower *follower;
    struct progress *progress;
    struct reconciler_instance *last;
    uint64_t lost_at; /* monotonic µs at which the watch was lost; 0: it works */
    bool worked;      /* the instance was not settled at first */
    bool is_stuck;    /* the instance has failed as a whole, and no attempt is planned */
    bool unclear;     /* what follows the failure is not known in time */
    bool done;
    int code;
};

static void finish(struct wait *w, int code)
{
    w->done = true;
    w->code = code;
}

/* Returns a stage of the requested revision that failed since the request (borrowed), with its replica; NULL:
 * there is none. */
static const struct app_stage *failed_stage(const struct wait *w, const struct reconciler_instance *i,
                                            const struct reconciler_replica **ret_replica)
{
    for (size_t j = 0; j < i->n_replicas; j++)
        for (size_t k = 0; k < i->replicas[j]->n_stages; k++) {
            const struct app_stage *stage = i->replicas[j]->stages[k];
            if (stage->revision == w->options->revision &&
                schema_enum_value(&app_stage_state_enum, stage->state) == STAGE_FAILED &&
                !progress_is_old(w->progress, i->replicas[j]->id, stage)) {
                *ret_replica = i->replicas[j];
                return stage;
            }
        }
    return NULL;
}

/* Reports whether the state shows what follows a failed attempt: its end is reached, or the next one is
 * planned. */
static bool is_clear(const struct reconciler_instance *i)
{
    bool planned = i->next_retry > 0;
    for (size_t j = 0; j < i->n_replicas; j++)
        planned |= i->replicas[j]->next_retry > 0;
    return i->settled || planned;
}

/* Reports whether the instance's state "failed" is the result of this request: an attempt failed and the next
 * one is planned, or the instance is settled. If the runtime is down, neither is the case: hostletctl shows
 * it and waits for a while. */
static bool is_failed(const struct wait *w, const struct reconciler_instance *i)
{
    return i->failed && (i->settled || (w->options->action == APP_ACTION_START && is_clear(i)));
}

/* Reports whether a replica has failed, or does not run in a settled instance that is to run: somebody paused
 * it. */
static bool is_bad(const struct wait *w, const struct reconciler_instance *i,
                   const struct reconciler_replica *r)
{
    bool rests = i->settled && w->options->action == APP_ACTION_START && !r->unassigned;
    return r->state == REPLICA_FAILED || r->state == REPLICA_CRASH_LOOPING || r->state == REPLICA_CONFLICT ||
           (rests && r->state != REPLICA_RUNNING);
}

static bool any_is_bad(const struct wait *w, const struct reconciler_instance *i)
{
    for (size_t j = 0; j < i->n_replicas; j++)
        if (is_bad(w, i, i->replicas[j]))
            return true;
    return false;
}

/* Prints what happens next, as the reconciler has planned it: a text that several replicas have only once. */
static void say_next(const struct reconciler_instance *i)
{
    _cleanup_free_ char *all = format_next(i->next, i->next_at);
    if (*all)
        log_error("  %s", all);
    for (size_t j = 0; j < i->n_replicas; j++) {
        const struct reconciler_replica *r = i->replicas[j];
        _cleanup_free_ char *text = format_next(r->next, r->next_at);
        bool known = false;
        for (size_t k = 0; k < j; k++)
            known |= streq_null(i->replicas[k]->next, r->next);
        if (*text && !known)
            log_error("  %s", text);
    }
}

/* Prints a message, which may end with the last lines of a log. */
static void say_message(const char *before, const char *message)
{
    _cleanup_free_ char *first = format_first_line(message), *others = format_other_lines(message, "    ");
    log_error("%s%s%s", before, *first ? ": " : "", first);
    fputs(others, stderr);
}

/* Returns "replica 0 is failed" or "replicas 0, 1 are failed": the failed replicas, except 'but', with the
 * state and message of number 'j'. Returns NULL if one before 'j' has these. The caller frees it. */
static char *failed_alike(const struct wait *w, const struct reconciler_instance *i, size_t j,
                          const struct reconciler_replica *but)
{
    const struct reconciler_replica *x = i->replicas[j];
    _cleanup_free_ char *ids = xstrdup("");
    size_t n = 0;
    for (size_t k = 0; k < i->n_replicas; k++) {
        const struct reconciler_replica *y = i->replicas[k];
        if (y == but || !is_bad(w, i, y) || y->state != x->state || !streq_null(y->message, x->message))
            continue;
        if (k < j)
            return NULL;
        _cleanup_free_ char *before = ids;
        ids = xasprintf("%s%s%" PRId64, before, n++ ? ", " : "", y->id);
    }
    return xasprintf("replica%s %s %s %s", n > 1 ? "s" : "", ids, n > 1 ? "are" : "is",
                     schema_enum_name(&replica_state_enum, x->state));
}

static void say_failure(const struct wait *w, const struct reconciler_instance *i)
{
    const struct reconciler_replica *r = NULL;
    const struct app_stage *stage = failed_stage(w, i, &r);
    bool said = stage != NULL;
    if (stage) {
        _cleanup_free_ char *what =
            xasprintf("%s: replica %" PRId64 ": %s failed", i->name, r->id, stage->name);
        say_message(what, stage->message ?: r->message);
    }
    for (size_t j = 0; j < i->n_replicas; j++) {
        const struct reconciler_replica *x = i->replicas[j];
        bool bad = is_bad(w, i, x);
        if (x->limits_problem) {
            _cleanup_free_ char *limits =
                xasprintf("%s: replica %" PRId64 ": the limits are not set", i->name, x->id);
            say_message(limits, x->limits_problem);
            said = true;
        }
        if (!bad || (stage && x == r))
            continue;
        said = true;
        _cleanup_free_ char *who = failed_alike(w, i, j, stage ? r : NULL),
                            *what = who ? xasprintf("%s: %s", i->name, who) : NULL;
        if (what)
            say_message(what, x->message);
    }
    bool known = stage && streq_null(i->message, stage->message);
    if ((i->message && !known) || !said)
        say_message(i->name, i->message ?: "failed");
    say_next(i);
}

static void say_success(const struct wait *w, const struct reconciler_instance *i)
{
    if (w->options->quiet || (w->options->unchanged && !w->worked))
        return;
    if (w->options->action != APP_ACTION_START)
        printf("%s: stopped\n", i->name);
    else
        printf("%s: revision %" PRId64 " is running (%zu replica%s)\n", i->name, i->revision, i->n_replicas,
               i->n_replicas == 1 ? "" : "s");
}

static void on_gone(struct wait *w)
{
    progress_clear(w->progress);
    if (w->last)
        schema_free(&reconciler_instance_schema, w->last);
    w->last = NULL;
    if (w->options->action == APP_ACTION_DESTROY) {
        if (!w->options->quiet)
            printf("%s: destroyed\n", w->options->name);
        finish(w, EXIT_OK);
        return;
    }
    log_error("%s: was destroyed meanwhile", w->options->name);
    finish(w, EXIT_FAILED);
}

static bool is_destroyed(const struct reconciler_instance *i)
{
    for (size_t j = 0; j < i->n_replicas; j++)
        if (i->replicas[j]->state != REPLICA_DESTROYED)
            return false;
    return i->n_replicas > 0;
}

static void on_stuck(void *userdata);
static void on_unclear(void *userdata);

static void on_state(struct wait *w, const struct reconciler_instance *i)
{
    const struct reconciler_replica *r;
    if (w->last)
        schema_free(&reconciler_instance_schema, w->last);
    w->last = xcalloc(1, sizeof *w->last);
    schema_copy(&reconciler_instance_schema, i, w->last);
    if (i->revision < w->options->revision)
        return;
    progress_begin(w->progress, i);
    if (!w->options->quiet)
        progress_show(w->progress, i);
    bool superseded = i->revision > w->options->revision || i->action != (int)w->options->action;
    /* A failed stage of a stop is no result, since the stop is retried until it succeeds; a failed deletion
     * can need an administrator. */
    bool failed = is_failed(w, i) || (w->options->action != APP_ACTION_STOP && failed_stage(w, i, &r));
    /* What follows a failed attempt is known when it is rolled back. */
    if (failed && !superseded && !is_clear(i) && !w->unclear) {
        if (!timer_armed(&w->outlook))
            timer_arm(&w->outlook, w->event, OUTLOOK_USEC, on_unclear, w);
        return;
    }
    bool over = superseded || failed || i->settled, stuck = i->failed && i->message && !over;
    if (stuck != w->is_stuck) {
        _cleanup_free_ char *message = format_first_line(i->message);
        if (stuck && !w->options->quiet) {
            progress_clear(w->progress);
            printf("  %s  %s\n", i->name, message);
        }
        w->is_stuck = stuck;
        if (stuck)
            timer_arm(&w->stuck, w->event, STUCK_USEC, on_stuck, w);
        else
            timer_stop(&w->stuck);
    }
    w->worked |= !over;
    if (!over)
        return;
    progress_clear(w->progress);
    if (superseded) {
        log_error("%s: another request has replaced this one: revision %" PRId64 ", %s", i->name, i->revision,
                  schema_enum_name(&app_action_enum, i->action));
        finish(w, EXIT_FAILED);
    } else if (failed) {
        say_failure(w, i);
        finish(w, EXIT_FAILED);
    } else if (w->options->action == APP_ACTION_DESTROY && is_destroyed(i)) {
        on_gone(w); /* the record of a zone's instance is kept */
    } else if (w->options->action == APP_ACTION_START && any_is_bad(w, i)) {
        say_failure(w, i);
        finish(w, EXIT_FAILED);
    } else if (w->options->action != APP_ACTION_DESTROY) {
        say_success(w, i);
        finish(w, EXIT_OK);
    }
}

/* Waits for the reconciler, which hostletd restarts, and fails after PATIENCE_USEC. */
static void on_away(struct wait *w, const struct error *e)
{
    uint64_t now = now_monotonic_usec();
    if (w->lost_at == 0)
        w->lost_at = now;
    if (now - w->lost_at > PATIENCE_USEC) {
        progress_clear(w->progress);
        finish(w, ctl_fail(e));
    }
}

static void on_reset(void *userdata)
{
    struct wait *w = userdata;
    w->lost_at = 0;
}

static void on_item(const void *answer, void *userdata)
{
    struct wait *w = userdata;
    const struct reconciler_watch_out *out = answer;
    if (w->done)
        return;
    if (out->gone)
        on_gone(w);
    else if (out->instance)
        on_state(w, out->instance);
}

static void on_lost(const struct error *e, bool quickly, void *userdata)
{
    (void)quickly;
    struct wait *w = userdata;
    if (w->done)
        return;
    if (e->class == ERROR_NOT_FOUND)
        on_gone(w);
    else if (e->class == ERROR_RETRY || e->class == ERROR_SERVICE_DOWN)
        on_away(w, e);
    else {
        progress_clear(w->progress);
        finish(w, ctl_fail(e));
    }
}

static void on_timeout(void *userdata)
{
    struct wait *w = userdata;
    progress_clear(w->progress);
    if (limit_is_set())
        (void)limit_fail();
    else
        log_error("%s: not done within 5 minutes; the work continues, and 'hostletctl app %s' shows it",
                  w->options->name, w->options->name);
    finish(w, EXIT_TIMEOUT);
}

static void on_stuck(void *userdata)
{
    struct wait *w = userdata;
    progress_clear(w->progress);
    say_message(w->options->name, w->last ? w->last->message : NULL);
    if (w->last)
        say_next(w->last);
    finish(w, EXIT_FAILED);
}

static void on_unclear(void *userdata)
{
    struct wait *w = userdata;
    w->unclear = true;
    progress_clear(w->progress);
    say_failure(w, w->last);
    finish(w, EXIT_FAILED);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    (void)source, (void)info;
    struct wait *w = userdata;
    progress_clear(w->progress);
    log_error("%s: the wait was interrupted; the work continues, and 'hostletctl app %s' shows it",
              w->options->name, w->options->name);
    finish(w, EXIT_TIMEOUT);
    return 0;
}

static int prepare(struct wait *w)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int r;
    if ((r = sd_event_new(&w->event)) < 0 ||
        (r = sd_event_add_signal(w->event, NULL, SIGINT, on_signal, w)) < 0 ||
        (r = sd_event_add_signal(w->event, NULL, SIGTERM, on_signal, w)) < 0 ||
        (r = progress_watch(w->progress, w->event)) < 0)
        return r;
    _cleanup_free_ char *going =
        xasprintf("the work continues, and 'hostletctl app %s' shows it", w->options->name);
    limit_say(w->options->name, going);
    timer_arm(&w->timeout, w->event, limit_cut(limit_is_set() ? UINT64_MAX : WAIT_USEC), on_timeout, w);
    clock_init(&w->clock, w->event);
    return 0;
}

int wait_for_instance(const struct ctl *ctl, const struct wait_options *options,
                      struct reconciler_instance **ret_last)
{
    struct wait w = {.options = options,
                     .socket = tree_socket(&ctl->tree, ctl_reconciler.socket),
                     .progress = progress_new(options->revision, options->begun_msec)};
    static const struct follower_handlers handlers = {.reset = on_reset, .item = on_item, .lost = on_lost};
    const struct reconciler_name_in in = {.name = (char *)options->name};
    int r = prepare(&w);
    if (r >= 0)
        w.follower = follower_new(&(struct follower_options){.clock = &w.clock,
                                                             .socket = w.socket,
                                                             .interface = &reconciler_interface,
                                                             .in = &in,
                                                             .pauses = {AGAIN_USEC, AGAIN_USEC},
                                                             .handlers = &handlers,
                                                             .userdata = &w});
    while (r >= 0 && !w.done) {
        r = sd_event_run(w.event, UINT64_MAX);
        r = r == -EINTR ? 0 : r;
    }
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    follower_free(w.follower);
    timer_stop(&w.stuck);
    timer_stop(&w.outlook);
    timer_stop(&w.timeout);
    sd_event_unref(w.event);
    sigprocmask(SIG_UNBLOCK, &mask, NULL);
    progress_free(w.progress);
    free(w.socket);
    *ret_last = w.last;
    if (r < 0) {
        log_error("the event loop failed: %s", strerrordesc_np(-r) ?: "unknown error");
        return EXIT_FAILED;
    }
    return w.code;
}
