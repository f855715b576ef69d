/* Implements the command task run: requests the run, follows the instance until inagent reports its end, and
 * prints the output of the run. */
#include "ctl/task_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/call.h"
#include "ctl/limit.h"
#include "ctl/log_source.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "lib/api/reconciler.h"
#include "lib/app/limits.h"
#include "lib/logs/label.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/varlink/follow.h"

#define AGAIN_USEC (100 * USEC_PER_MSEC) /* pause after a failed call */
#define ASK_USEC                                                                                             \
    (15 * USEC_PER_SEC) /* for that long a request is repeated that has to wait for another one */
#define WAIT_USEC (300 * USEC_PER_SEC) /* time-out without a limit of the command */
#define ID_BYTES  16

struct run {
    char *instance, *task;
    int64_t replica;
    char id[2 * ID_BYTES + 1];
    sd_event *event;
    struct clock clock;
    struct timer timeout;
    struct follower *follower;
    struct app_task_status *result; /* NULL: not ended */
    bool reported;                  /* the agent in the container reports tasks */
    bool taken;                     /* and this request */
    int code;
};

static void finish(struct run *run, int code)
{
    run->code = code;
    sd_event_exit(run->event, 0);
}

static void on_state(struct run *run, const struct reconciler_replica *replica)
{
    for (size_t i = 0; i < replica->n_tasks; i++) {
        const struct app_task_status *task = replica->tasks[i];
        run->reported = true;
        if (!streq_null(task->name, run->task) || !streq_null(task->request, run->id))
            continue;
        run->taken = true;
        if (schema_enum_value(&app_request_state_enum, task->request_state) == TASK_REQUEST_RUNNING)
            continue;
        run->result = xcalloc(1, sizeof *run->result);
        schema_copy(&app_task_status_schema, task, run->result);
        bool good = schema_enum_value(&app_request_state_enum, task->request_state) == TASK_REQUEST_SUCCEEDED;
        finish(run, good ? EXIT_OK : EXIT_FAILED);
        return;
    }
}

static void on_item(const void *answer, void *userdata)
{
    struct run *run = userdata;
    const struct reconciler_watch_out *out = answer;
    if (run->result)
        return;
    if (out->gone) {
        log_error("%s: the application was destroyed meanwhile", run->instance);
        finish(run, EXIT_FAILED);
        return;
    }
    for (size_t i = 0; out->instance && i < out->instance->n_replicas; i++)
        if (out->instance->replicas[i]->id == run->replica)
            on_state(run, out->instance->replicas[i]);
}

/* hostletd restarts a reconciler that was lost; the time-out ends the wait for it. */
static void on_lost(const struct error *e, bool quickly, void *userdata)
{
    (void)quickly;
    if (e->class != ERROR_RETRY && e->class != ERROR_SERVICE_DOWN)
        finish(userdata, ctl_fail(e));
}

static void on_timeout(void *userdata)
{
    struct run *run = userdata;
    if (limit_is_set())
        (void)limit_fail();
    else
        log_error("task '%s' of %s/%" PRId64 ": no end within 5 minutes", run->task, run->instance,
                  run->replica);
    log_error(run->taken      ? "the run continues; 'hostletctl app %s' shows it"
              : run->reported ? "the agent in the container has not reported that the run began; 'hostletctl "
                                "app %s' shows its tasks"
                              : "the agent in the container reports no tasks: 'hostletctl app %s' shows its "
                                "stages, and a container that an earlier version made has to be made anew",
              run->instance);
    finish(run, EXIT_TIMEOUT);
}

/* Follows the instance until the end. Returns the exit code. */
static int wait_for_end(struct ctl *ctl, struct run *run)
{
    static const struct follower_handlers handlers = {.item = on_item, .lost = on_lost};
    _cleanup_free_ char *socket = tree_socket(&ctl->tree, ctl_reconciler.socket);
    const struct reconciler_name_in in = {.name = run->instance};
    int r = sd_event_new(&run->event);
    if (r >= 0) {
        clock_init(&run->clock, run->event);
        timer_arm(&run->timeout, run->event, limit_cut(WAIT_USEC), on_timeout, run);
        run->follower = follower_new(&(struct follower_options){.clock = &run->clock,
                                                                .socket = socket,
                                                                .interface = &reconciler_interface,
                                                                .in = &in,
                                                                .pauses = {AGAIN_USEC, AGAIN_USEC},
                                                                .handlers = &handlers,
                                                                .userdata = run});
        r = sd_event_loop(run->event);
    }
    follower_free(run->follower);
    timer_stop(&run->timeout);
    sd_event_unref(run->event);
    if (r < 0)
        log_error("the event loop failed: %s", strerrordesc_np(-r));
    return r < 0 ? EXIT_FAILED : run->code;
}

/* Prints what the task wrote since the request. */
static void print_output(struct ctl *ctl, const struct run *run, uint64_t began_usec)
{
    char label[LOG_PREFIX_SIZE];
    (void)log_label_prefix(run->task, label);
    struct log_source source = {
        .replica = run->replica, .fd = -1, .label = label, .since = now_monotonic_usec() - began_usec};
    struct error e = ERROR_INIT;
    int r = log_source_open(ctl, &source, run->instance, false, &e);
    while (r >= 0 && (r = log_source_read(&source, &e)) > 0)
        ;
    log_source_done(&source);
    if (r < 0)
        log_warning("the output cannot be read: %s; it is in var/log of the application's home, too",
                    e.message);
}

static void print_result(const struct run *run)
{
    const struct app_task_status *t = run->result;
    _cleanup_free_ char *what = xasprintf("task '%s' of %s/%" PRId64, run->task, run->instance, run->replica),
                        *took = format_duration(t->finished - t->started);
    switch (schema_enum_value(&app_request_state_enum, t->request_state)) {
    case TASK_REQUEST_SUCCEEDED:
        log_info("%s: succeeded after %s", what, took);
        break;
    case TASK_REQUEST_FAILED:
        log_error("%s: failed with exit code %" PRId64 " after %s%s%s", what, t->request_exit_code, took,
                  t->message ? ": " : "", t->message ?: "");
        break;
    case TASK_REQUEST_REFUSED:
        log_error("%s: not run: %s", what, t->request_message ?: "refused");
        break;
    default:
        log_error("%s: interrupted: %s", what, t->request_message ?: "the container ended");
    }
}

/* Splits APP[/REPLICA]. Without a replica it is the only one of the instance. Returns an exit code. */
static int find_replica(struct ctl *ctl, struct run *run)
{
    char *slash = strchr(run->instance, '/');
    if (slash) {
        *slash = '\0';
        if (parse_int64(slash + 1, 0, APP_REPLICA_ID_MAX, &run->replica) == 0)
            return EXIT_OK;
        log_error("task run: '%s' is no id of a replica", slash + 1);
        return EXIT_USAGE;
    }
    const struct reconciler_name_in in = {.name = run->instance};
    struct reconciler_get_out out = {.instance = NULL};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_reconciler, "Get", &in, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    size_t n = out.instance->n_replicas;
    if (n == 1)
        run->replica = out.instance->replicas[0]->id;
    ctl_done(&ctl_reconciler, "Get", &out);
    if (n == 1)
        return EXIT_OK;
    log_error("task run: '%s' has %zu replicas: name one, as in %s/0", run->instance, n, run->instance);
    return n == 0 ? EXIT_FAILED : EXIT_USAGE;
}

/* With an id of its own, the call can be repeated when a service was lost. */
static int ask(struct ctl *ctl, struct run *run, struct error *e)
{
    const struct reconciler_run_task_in in = {run->instance, run->replica, run->task, run->id};
    uint64_t deadline = now_monotonic_usec() + limit_cut(ASK_USEC);
    random_hex(run->id, ID_BYTES);
    for (;;) {
        int r = ctl_call(ctl, &ctl_reconciler, "RunTask", &in, NULL, CTL_TIMEOUT_USEC, e);
        if (r >= 0 || e->class != ERROR_RETRY || now_monotonic_usec() + AGAIN_USEC > deadline)
            return r;
        const struct timespec pause = {.tv_nsec = AGAIN_USEC * 1000};
        (void)nanosleep(&pause, NULL);
    }
}

static int run_task(struct ctl *ctl, struct run *run)
{
    int code = find_replica(ctl, run);
    if (code != EXIT_OK)
        return code;
    struct error e = ERROR_INIT;
    uint64_t began_usec = now_monotonic_usec();
    if (ask(ctl, run, &e) < 0)
        return ctl_fail(&e);
    if (ctl_option(ctl, "no-wait"))
        return EXIT_OK;
    limit_say(run->instance, "the request was accepted");
    code = wait_for_end(ctl, run);
    if (!run->result)
        return code;
    int state = schema_enum_value(&app_request_state_enum, run->result->request_state);
    if (ctl->json)
        print_json(schema_pack(&app_task_status_schema, run->result));
    else if (state != TASK_REQUEST_REFUSED)
        print_output(ctl, run, began_usec);
    if (!ctl->json)
        print_result(run);
    return code;
}

int command_task_run(struct ctl *ctl)
{
    struct run run = {.instance = xstrdup(ctl->arguments[0]), .task = xstrdup(ctl->arguments[1])};
    int code = run_task(ctl, &run);
    if (run.result)
        schema_free(&app_task_status_schema, run.result);
    free(run.instance);
    free(run.task);
    return code;
}
