/* Implements life.h. */
#include "container-driver/null/life.h"

#include <errno.h>

#include "container-driver/null/behaviour.h"
#include "container-driver/null/image.h"
#include "container-driver/null/logs.h"
#include "container-driver/null/store.h"
#include "container-driver/spec.h"
#include "lib/basic/log.h"
#include "lib/loop/retry.h"

/* The backoff of Docker's restarts: 100 ms, doubled each time, and reset after a run of 10 s. */
static const struct retry_policy policy = {100 * USEC_PER_MSEC, 60 * USEC_PER_SEC};
#define HEALTHY_USEC (10 * USEC_PER_SEC)

static void plan(struct null_container *k, uint64_t after_usec, timer_fn *then)
{
    timer_arm(&k->timer, k->null->event, after_usec, then, k);
}

static struct null_behaviour behaviour(struct null_container *k)
{
    return null_behaviour_of(null_image_words(k->null, k->c->image));
}

static void save(struct null_container *k)
{
    struct error e = ERROR_INIT;
    if (null_save(k, &e) < 0)
        log_warning("%s", e.message);
}

static void run(struct null_container *k);

static void on_restart(void *userdata)
{
    struct null_container *k = userdata;
    k->c->restart_count++;
    run(k);
}

static void plan_restart(struct null_container *k)
{
    plan(k, retry_pause(&policy, k->healthy ? 1 : (unsigned)k->c->restart_count + 1), on_restart);
}

static void on_exit_of_its_own(void *userdata)
{
    struct null_container *k = userdata;
    k->healthy = k->began_usec && now_monotonic_usec() - k->began_usec >= HEALTHY_USEC;
    k->c->exit_code = behaviour(k).exit_code;
    k->c->finished_at = now_realtime_msec();
    k->c->state = k->c->restart == DRIVER_RESTART_ALWAYS ? DRIVER_RESTARTING : DRIVER_EXITED;
    save(k);
    null_event(k, "die");
    null_logs_changed(k);
    if (k->c->state == DRIVER_RESTARTING)
        plan_restart(k);
}

static void run(struct null_container *k)
{
    struct null_behaviour b = behaviour(k);
    k->c->state = DRIVER_RUNNING;
    k->c->exit_code = 0;
    k->c->started_at = now_realtime_msec();
    k->began_usec = now_monotonic_usec();
    k->c->finished_at = 0;
    free(k->c->error);
    k->c->error = NULL;
    save(k);
    null_event(k, "start");
    null_logs_changed(k);
    if (b.exits)
        plan(k, b.exit_after_usec, on_exit_of_its_own);
}

void null_resume(struct null_container *k)
{
    struct null_behaviour b = behaviour(k);
    if (k->c->state == DRIVER_RUNNING && b.exits)
        plan(k, b.exit_after_usec, on_exit_of_its_own);
    else if (k->c->state == DRIVER_RESTARTING)
        plan_restart(k);
}

static bool binds(const struct driver_container *c, const struct host_port *port)
{
    for (size_t i = 0; i < c->n_ports; i++) {
        struct host_port own = spec_host_port(c->ports[i]);
        if (host_port_overlaps(&own, port))
            return true;
    }
    return false;
}

/* Reports why a container cannot be started, with Docker's words and effect: the container keeps its state
 * and gets an exit code and the error. */
static int start_problem(struct null_container *k, struct error *e)
{
    int code = 0;
    for (struct null_container *o = k->null->containers; o; o = o->next)
        for (size_t i = 0; o != k && o->c->state == DRIVER_RUNNING && i < k->c->n_ports; i++) {
            struct host_port port = spec_host_port(k->c->ports[i]);
            if (!binds(o->c, &port))
                continue;
            code = 128;
            error_fail(e, EADDRINUSE, "Bind for %s:%lld failed: port is already allocated",
                       k->c->ports[i]->host_address ?: "0.0.0.0", (long long)port.port);
        }
    if (behaviour(k).start_fails) {
        code = 127;
        error_fail(e, ENOEXEC, "the entrypoint cannot be executed");
    }
    if (code == 0)
        return 0;
    k->c->exit_code = code;
    free(k->c->error);
    k->c->error = xstrdup(e->message);
    save(k);
    return -e->errnum;
}

/* A start or stop that takes time, by the behaviour "slow". */
struct slow_act {
    struct null *n;
    char *id;
    bool start;
    runtime_answer_fn answer;
    void *userdata;
    struct timer timer;
};

static void act(struct null *n, const char *id, bool start, runtime_answer_fn answer, void *userdata)
{
    struct error e = ERROR_INIT;
    struct null_container *k = null_find(n, id);
    bool runs = k && driver_state_is_up(k->c->state);
    if (!k) {
        null_no_container(id, &e);
    } else if (start && k->c->state != DRIVER_RUNNING && start_problem(k, &e) == 0) {
        run(k);
    } else if (!start && runs) {
        timer_stop(&k->timer);
        k->c->state = DRIVER_EXITED;
        k->c->exit_code = 0;
        k->c->finished_at = now_realtime_msec();
        save(k);
        null_event(k, "die");
        null_event(k, "stop");
        null_logs_changed(k);
    }
    runtime_answer(answer, userdata, &e);
}

static void on_slow_act(void *userdata)
{
    _cleanup_free_ struct slow_act *a = userdata;
    _cleanup_free_ char *id = a->id;
    act(a->n, id, a->start, a->answer, a->userdata);
}

static void act_in_time(struct runtime *rt, const char *id, bool start, runtime_answer_fn answer,
                        void *userdata)
{
    struct null *n = (struct null *)rt;
    struct null_container *k = null_find(n, id);
    uint64_t slow = k ? behaviour(k).slow_usec : 0;
    if (slow == 0) {
        act(n, id, start, answer, userdata);
        return;
    }
    struct slow_act *a = xcalloc(1, sizeof *a);
    *a = (struct slow_act){.n = n, .id = xstrdup(id), .start = start, .answer = answer, .userdata = userdata};
    timer_arm(&a->timer, n->event, slow, on_slow_act, a);
}

void null_start(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata)
{
    act_in_time(rt, id, true, answer, userdata);
}

void null_stop(struct runtime *rt, const char *id, int64_t timeout_msec, runtime_answer_fn answer,
               void *userdata)
{
    (void)timeout_msec; /* a simulated container stops at once */
    act_in_time(rt, id, false, answer, userdata);
}
