/* Implements engine_world.h. */
#include "engine_world.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/api/fetcher.h"
#include "lib/api/provisioner.h"
#include "lib/api/quota_keeper.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/observe.h"
#include "reconciler/engine/quota.h"
#include "reconciler/engine/steps.h"
#include "reconciler/engine/turn.h"
#include "reconciler/model/store.h"

#define ANSWER_USEC  (3 * USEC_PER_MSEC)
#define LIFE_USEC    (200 * USEC_PER_MSEC) /* how long a container of BROKEN_REVISION runs */
#define RESTART_USEC (100 * USEC_PER_MSEC)
#define STEPS_MAX    10000

/* A call in progress. */
struct request {
    struct timer timer;
    struct world *world;
    varlink_answer_fn on_answer;
    void *userdata;
    char *method;
    int slot, to, restart; /* arguments of the call, if it has them */
    int64_t revision, cpu_limit, memory_limit, pids_limit;
    char *config, *image;
};

static void set_slot(struct world *w, int slot, const struct driver_container *c)
{
    schema_done(&driver_container_schema, &w->slots[slot]);
    if (c)
        schema_copy(&driver_container_schema, c, &w->slots[slot]);
}

static void move_slot(struct world *w, int from, int to)
{
    assert_int_not_equal(w->slots[from].state, DRIVER_MISSING);
    assert_int_equal(w->slots[to].state, DRIVER_MISSING);
    w->slots[to] = w->slots[from];
    w->slots[to].slot = to;
    w->slots[from] = (struct driver_container){.state = DRIVER_MISSING};
}

void send_event(struct world *w, const char *action)
{
    struct driver_event event = {
        .instance = (char *)"web", .action = (char *)action, .slot = DRIVER_SLOT_CURRENT, .exit_code = 3};
    w->watch->on_answer(&(struct driver_watch_out){.event = &event}, true, NULL, w->watch->userdata);
}

static void start_container(struct world *w);

static void on_restart(void *userdata)
{
    struct world *w = userdata;
    start_container(w);
    send_event(w, "start");
}

static void on_end_of_life(void *userdata)
{
    struct world *w = userdata;
    struct driver_container *c = &w->slots[DRIVER_SLOT_CURRENT];
    bool again = c->restart == DRIVER_RESTART_ALWAYS;
    c->state = again ? DRIVER_RESTARTING : DRIVER_EXITED;
    c->exit_code = 3;
    if (again)
        clock_arm(&w->clock.clock, &w->restart, w->restart_usec ?: RESTART_USEC, on_restart, w);
    send_event(w, "die");
}

static void start_container(struct world *w)
{
    struct driver_container *c = &w->slots[DRIVER_SLOT_CURRENT];
    if (w->package_lost)
        return;
    c->state = DRIVER_RUNNING;
    c->started_at = clock_realtime_msec(&w->clock.clock);
    if (c->revision == BROKEN_REVISION)
        clock_arm(&w->clock.clock, &w->end_of_life, LIFE_USEC, on_end_of_life, w);
}

static void create_container(struct world *w, const struct request *q)
{
    assert_int_equal(w->slots[DRIVER_SLOT_CURRENT].state, DRIVER_MISSING);
    set_slot(w, DRIVER_SLOT_CURRENT,
             &(struct driver_container){.name = (char *)"i8k_web_0",
                                        .instance = (char *)"web",
                                        .ours = true,
                                        .state = DRIVER_CREATED,
                                        .image = (char *)"busybox",
                                        .cpu_limit = q->cpu_limit,
                                        .memory_limit = q->memory_limit,
                                        .pids_limit = q->pids_limit,
                                        .revision = q->revision,
                                        .config = q->config});
}

/* Changes the runtime's containers as the call requests. */
static void act(struct world *w, const struct request *q)
{
    struct driver_container *c = &w->slots[DRIVER_SLOT_CURRENT];
    if (streq(q->method, "Create"))
        create_container(w, q);
    else if (streq(q->method, "Start"))
        start_container(w);
    else if (streq(q->method, "Stop"))
        c->state = DRIVER_EXITED;
    else if (streq(q->method, "SetRestart")) {
        c->restart = q->restart;
        send_event(w, "update");
    } else if (streq(q->method, "SetLimits")) {
        c->cpu_limit = q->cpu_limit;
        c->memory_limit = q->memory_limit;
        c->pids_limit = q->pids_limit;
        send_event(w, "update");
    } else if (streq(q->method, "Rename"))
        move_slot(w, q->slot, q->to);
    else if (streq(q->method, "Remove"))
        set_slot(w, q->slot, NULL);
}

static void free_request(struct request *q)
{
    timer_stop(&q->timer);
    free(q->method);
    free(q->config);
    free(q->image);
    free(q);
}

static void answer(struct request *q, const void *out)
{
    q->on_answer(out, false, NULL, q->userdata);
    free_request(q);
}

static void answer_error(struct request *q, enum error_class class, const char *message)
{
    struct error e = ERROR_INIT;
    error_set(&e, class, EIO, "%s", message);
    q->on_answer(NULL, false, &e, q->userdata);
    free_request(q);
}

/* Replies to a call about an image. */
static void answer_image(struct request *q)
{
    bool absent = q->world->absent && streq_null(q->image, q->world->absent);
    if (streq(q->method, "ImageInspect") && absent)
        answer_error(q, ERROR_NOT_FOUND, "there is no such image");
    else if (streq(q->method, "ImageInspect"))
        answer(q, &(struct driver_image_list_out){&(struct driver_image){.id = (char *)"sha256:1"}});
    else if (absent && !q->world->pulls_hang)
        answer_error(q, ERROR_RETRY, "the registry is not reachable");
    else if (!absent)
        answer(q, &(struct driver_pull_out){.id = (char *)"sha256:1"});
}

static void answer_package(struct request *q)
{
    struct package_reference package = {.id = (char *)"site_1.0.0_linux_amd64",
                                        .name = (char *)"site",
                                        .version = (char *)"1.0.0",
                                        .os = (char *)"linux",
                                        .arch = (char *)"amd64",
                                        .checksum = (char *)"sha256:1"};
    if (streq(q->method, "Publish"))
        q->world->package_lost = false;
    if (streq(q->method, "Resolve"))
        answer(q, &(struct fetcher_resolve_out){&package});
    else
        answer(q, NULL);
}

static void answer_inspection(struct request *q)
{
    struct driver_container *c = &q->world->slots[q->slot];
    answer(q, &(struct driver_inspect_out){c->state != DRIVER_MISSING ? c : NULL});
}

static void send_snapshot(struct request *q)
{
    for (size_t i = 0; i < ARRAY_SIZE(q->world->slots); i++)
        if (q->world->slots[i].state != DRIVER_MISSING)
            q->on_answer(&(struct driver_watch_out){.container = &q->world->slots[i]}, true, NULL,
                         q->userdata);
    q->on_answer(&(struct driver_watch_out){.complete = true}, true, NULL, q->userdata);
}

static void on_time(void *userdata)
{
    struct request *q = userdata;
    struct world *w = q->world;
    char *lines[] = {(char *)"cannot open its database"};
    if (streq(q->method, "Watch") && w->watch == q)
        send_snapshot(q);
    else if (streq(q->method, "Watch"))
        return; /* quota-keeper reports nothing */
    else if (streq(q->method, "Info"))
        answer(q, &(struct driver_info_out){.runtime = (char *)"fake", .cpus = 4});
    else if (q->image)
        answer_image(q);
    else if (streq(q->method, "Resolve") || streq(q->method, "Publish"))
        answer_package(q);
    else if (streq(q->method, "Start") && w->package_lost)
        answer_error(q, ERROR_FAILED, "the package's directory does not exist");
    else if (streq(q->method, "Inspect"))
        answer_inspection(q);
    else if (streq(q->method, "Ensure"))
        answer(q, &(struct quota_values){.container = (char *)"i8k_web_0", .hard = 100 << 20});
    else if (streq(q->method, "Tail"))
        answer(q, &(struct driver_tail_out){.lines = lines, .n_lines = 1});
    else
        answer(q, NULL);
}

static void on_lost(void *userdata)
{
    struct request *q = userdata;
    struct error e = ERROR_INIT;
    error_retry(&e, ECONNRESET, "the worker exited");
    q->on_answer(NULL, false, &e, q->userdata);
    free_request(q);
}

static void on_failed(void *userdata)
{
    struct request *q = userdata;
    struct error e = ERROR_INIT;
    error_retry(&e, EIO, "%s failed", q->method);
    q->on_answer(NULL, false, &e, q->userdata);
    free_request(q);
}

static void note(struct world *w, const char *method)
{
    static const char *const changing[] = {
        "Create", "Start",        "Stop",      "SetRestart", "Rename",    "Remove",       "Provision",
        "Ensure", "ImageInspect", "SetLimits", "Publish",    "Unpublish", "RemovePackage"};
    for (size_t i = 0; i < ARRAY_SIZE(changing); i++)
        if (streq(method, changing[i])) {
            char *longer = xasprintf("%s%s%s", w->trace ?: "", w->trace ? " " : "", method);
            free(w->trace);
            w->trace = longer;
        }
}

/* Copies the arguments that the fakes need. */
static void read_call(struct request *q, const void *in)
{
    if (streq(q->method, "ImageInspect") || streq(q->method, "ImagePull")) {
        q->image = xstrdup(((const struct driver_image_in *)in)->reference);
    } else if (streq(q->method, "Create")) {
        q->revision = ((const struct driver_create_in *)in)->revision;
        q->config = xstrdup(((const struct driver_create_in *)in)->config);
        q->cpu_limit = ((const struct driver_create_in *)in)->cpu_limit;
        q->memory_limit = ((const struct driver_create_in *)in)->memory_limit;
        q->pids_limit = ((const struct driver_create_in *)in)->pids_limit;
    } else if (streq(q->method, "SetLimits")) {
        q->cpu_limit = ((const struct driver_limits_in *)in)->cpu_limit;
        q->memory_limit = ((const struct driver_limits_in *)in)->memory_limit;
        q->pids_limit = ((const struct driver_limits_in *)in)->pids_limit;
    } else if (streq(q->method, "Rename")) {
        q->slot = ((const struct driver_rename_in *)in)->from;
        q->to = ((const struct driver_rename_in *)in)->to;
    } else if (streq(q->method, "SetRestart")) {
        q->restart = ((const struct driver_restart_in *)in)->policy;
    } else if (streq(q->method, "Inspect") || streq(q->method, "Remove")) {
        q->slot = ((const struct driver_replica_in *)in)->slot;
    }
}

static struct varlink_request *call(struct outside *outside, const struct varlink_call_options *options,
                                    varlink_answer_fn on_answer, void *userdata)
{
    struct world *w = (struct world *)outside;
    struct request *q = xcalloc(1, sizeof *q);
    *q = (struct request){
        .world = w, .on_answer = on_answer, .userdata = userdata, .method = xstrdup(options->method)};
    /* Two workers have this method. */
    if (streq(q->method, "Remove") && options->interface == &fetcher_interface)
        set_string(&q->method, "RemovePackage");
    read_call(q, options->in);
    note(w, q->method);
    if (streq(q->method, "Watch") && options->interface == &container_driver_interface)
        w->watch = q;
    bool fails = w->failing && streq(w->failing, q->method);
    if (!fails && !(w->ignored && streq(w->ignored, q->method)))
        act(w, q);
    bool lost = w->lost && streq(w->lost, q->method);
    if (lost)
        w->lost = NULL;
    clock_arm(&w->clock.clock, &q->timer, ANSWER_USEC, lost ? on_lost : fails ? on_failed : on_time, q);
    return (struct varlink_request *)q;
}

static void cancel(struct outside *outside, struct varlink_request *request)
{
    struct world *w = (struct world *)outside;
    struct request *q = (struct request *)request;
    if (!q)
        return;
    w->cancelled += streq(q->method, "ImagePull");
    free_request(q);
}

/* Only secrets are read, and each replica has one. */
static int read_file(struct outside *outside, const char *path, size_t max, char **ret, size_t *ret_size,
                     struct error *e)
{
    (void)outside, (void)max, (void)e;
    assert_non_null(after_prefix(path, "/state/secrets/"));
    *ret = xstrdup("0123456789abcdef0123456789abcdef01\n");
    if (ret_size)
        *ret_size = strlen(*ret);
    return 0;
}

static int write_file(struct outside *outside, const char *path, size_t max, const char *text, size_t size,
                      struct error *e)
{
    (void)e;
    struct world *w = (struct world *)outside;
    assert_string_equal(path, "/state/instances/web.json");
    assert_true(size <= max);
    free(w->saved);
    w->saved = xstrndup(text, size);
    w->saves++;
    return 0;
}

static void changed(struct instance *instance)
{
    ((struct world *)instance->manager->outside)->notices++;
}

static void gone(struct instance *instance)
{
    (void)instance;
    fail();
}

static void name_free(struct manager *m, const char *name, struct app_instance *next)
{
    (void)m, (void)name, (void)next;
    fail();
}

static const struct listener listener = {.changed = changed, .gone = gone, .name_free = name_free};

/* --- the fixture --- */

static struct app_manifest *make_manifest(int64_t revision)
{
    _cleanup_free_ char *version = xasprintf("%lld.0", (long long)revision),
                        *image =
                            revision == 1 ? xstrdup("busybox") : xasprintf("image:%lld", (long long)revision);
    struct app_manifest *manifest = xcalloc(1, sizeof *manifest);
    struct app_manifest description = {
        .app = &(struct app_instance){
            .meta = &(struct app_metadata){.name = (char *)"web"},
            .spec = &(struct app_spec){.name = (char *)"web", .version = version, .image = image},
            .deploy = &(struct app_deploy){.volume_limit = 100 << 20}}};
    schema_copy(&app_manifest_schema, &description, manifest);
    app_default_options(manifest);
    return manifest;
}

static void want_revision(struct record *record, int64_t revision)
{
    struct app_manifest *manifest = make_manifest(revision);
    record_add_revision(record, revision, manifest);
    schema_free(&app_manifest_schema, manifest);
}

static void make_instance(struct fixture *f)
{
    struct record *record = xcalloc(1, sizeof *record);
    record->format = RECORD_FORMAT_LOCAL;
    record->name = xstrdup("web");
    record->origin = xstrdup("local");
    record->action = APP_ACTION_START;
    want_revision(record, 1);
    record_add_replica(record, 0);
    f->instance = manager_add(&f->manager, record);
    f->replica = f->instance->replicas[0];
}

int engine_begin(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct world *w = &f->world;
    simulated_clock_init(&w->clock);
    w->outside = (struct outside){
        .clock = &w->clock.clock, .read = read_file, .write = write_file, .call = call, .cancel = cancel};
    f->manager =
        (struct manager){.outside = &w->outside,
                         .turn = turn,
                         .listener = &listener,
                         .settings = {.retry = {.first_usec = USEC_PER_SEC, .most_usec = 60 * USEC_PER_SEC},
                                      .parallel_first = 1,
                                      .parallel_update = 1,
                                      .stop_timeout_msec = 1000,
                                      .probation_msec = PROBATION_MSEC,
                                      .unassigned = "keep"},
                         .state_dir = (char *)"/state",
                         .host_id = (char *)"0123456789ab"};
    observe_start(&f->manager);
    quota_start(&f->manager);
    make_instance(f);
    *state = f;
    return 0;
}

int engine_end(void **state)
{
    struct fixture *f = *state;
    observe_stop(&f->manager);
    quota_stop(&f->manager);
    instance_free(f->instance);
    timer_stop(&f->world.end_of_life);
    timer_stop(&f->world.restart);
    set_slot(&f->world, DRIVER_SLOT_CURRENT, NULL);
    set_slot(&f->world, DRIVER_SLOT_OLD, NULL);
    schema_free(&driver_info_schema, f->manager.info);
    free(f->world.trace);
    free(f->world.saved);
    free(f);
    return 0;
}

static bool settled(const struct replica *r)
{
    return r->last == STEP_SETTLED && !r->request && !r->seen.stale && !r->kick && r->retry.next == 0 &&
           r->instance->manager->subscribed && !r->instance->dirty;
}

void run_until_settled(struct fixture *f)
{
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        if (settled(f->replica))
            return;
        if (!simulated_clock_step(&f->world.clock))
            break;
    }
    fail_msg("not settled: step %s, last %s; %s", step_name(f->replica->step), step_name(f->replica->last),
             f->world.trace);
}

char *take_trace(struct fixture *f)
{
    char *trace = f->world.trace;
    f->world.trace = NULL;
    return trace;
}

void deploy(struct fixture *f)
{
    instance_begin(f->instance);
    run_until_settled(f);
}

void want_update(struct fixture *f, int64_t revision)
{
    struct error e = ERROR_INIT;
    want_revision(f->instance->record, revision);
    assert_true(store_save(f->instance, &e) >= 0);
    instance_begin(f->instance);
}

void update(struct fixture *f, int64_t revision)
{
    want_update(f, revision);
    run_until_settled(f);
}

void crash(struct fixture *f)
{
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].state, DRIVER_RUNNING);
    on_end_of_life(&f->world);
}

void run_until_probation(struct fixture *f)
{
    for (unsigned i = 0; i < STEPS_MAX && f->replica->last != STEP_PROBATION; i++)
        assert_true(simulated_clock_step(&f->world.clock));
    assert_int_equal(f->world.slots[DRIVER_SLOT_CURRENT].state, DRIVER_RUNNING);
}

void changed_by_hand(struct fixture *f)
{
    send_event(&f->world, "update");
}

void restart_reconciler(struct fixture *f)
{
    struct record *record = xcalloc(1, sizeof *record);
    schema_copy(&record_schema, f->instance->record, record);
    observe_stop(&f->manager);
    quota_stop(&f->manager);
    instance_free(f->instance);
    f->manager.instances = NULL;
    f->manager.subscribed = false;
    observe_start(&f->manager);
    quota_start(&f->manager);
    f->instance = manager_add(&f->manager, record);
    f->replica = f->instance->replicas[0];
}

void want_action(struct fixture *f, enum app_action action)
{
    f->instance->record->action = (int)action;
    instance_begin(f->instance);
}

void use_package(struct fixture *f, const char *package)
{
    struct app_spec *spec = f->instance->record->revisions[0]->manifest->app->spec;
    struct app_name_version *wanted = schema_append(&spec->packages, &spec->n_packages, sizeof *wanted);
    wanted->name = xstrdup(package);
}

void remove_container(struct fixture *f, int slot)
{
    set_slot(&f->world, slot, NULL);
    send_event(&f->world, "destroy");
}

bool runs(const struct fixture *f, int64_t revision)
{
    const struct driver_container *c = &f->world.slots[DRIVER_SLOT_CURRENT];
    return c->state == DRIVER_RUNNING && c->revision == revision && c->restart == DRIVER_RESTART_ALWAYS &&
           f->world.slots[DRIVER_SLOT_OLD].state == DRIVER_MISSING;
}
