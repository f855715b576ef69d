/* Implements creation.h: creates a container with a limit of its writable layer when Docker supports it, else
 * without. */
#include "container-driver/docker/creation.h"

#include <errno.h>

#include "container-driver/docker/call.h"
#include "container-driver/docker/create.h"
#include "container-driver/docker/inspect.h"
#include "container-driver/docker/network.h"
#include "container-driver/docker/seccomp.h"
#include "container-driver/docker/simple.h"
#include "container-driver/docker/volumes.h"
#include "container-driver/reading.h"
#include "lib/basic/log.h"

struct creation {
    struct simple_job head;
    json_t *body;
    char *name;
    struct spec_network network; /* if the container has an address in it; owns 'cidr' */
    bool limited;
};

static void creation_send(struct creation *job);

static void creation_end(struct creation *job, struct runtime_result *result, const struct error *e)
{
    job->head.answer(result, e, job->head.userdata);
    json_decref(job->body);
    free(job->name);
    free((char *)job->network.cidr);
    free(job);
}

static void log_warnings(struct reading *r, json_t *body, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(read_array(r, body, "Warnings"), i, item)
    {
        _cleanup_free_ char *text = clean_text(json_string_value(item) ?: "", 300);
        log_notice("%s: Docker warns: %s", name, text);
    }
}

static void on_created(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct creation *job = userdata;
    struct docker *d = job->head.d;
    struct runtime_result result = {0};
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's response to a creation", .error = &own};
    /* "--storage-opt is supported only for overlay over xfs with 'pquota' mount option" */
    if (e && job->limited && strcasestr(e->message, "storage-opt")) {
        log_notice("Docker cannot limit writable layers on this machine, and creates containers without the "
                   "limit: %s",
                   e->message);
        d->layer_limit = LAYER_LIMIT_NO;
        job->limited = false;
        json_object_del(json_object_get(job->body, "HostConfig"), "StorageOpt");
        creation_send(job);
        return;
    }
    if (e) {
        creation_end(job, &result, e);
        return;
    }
    result.id = xstrdup(need_string(&r, body, "Id"));
    result.layer_unlimited = !job->limited;
    log_warnings(&r, body, job->name);
    if (r.r < 0)
        docker_set_state(d, DRIVER_RUNTIME_DOWN, &own);
    else if (job->limited)
        d->layer_limit = LAYER_LIMIT_YES;
    char *id = result.id;
    creation_end(job, &result, r.r < 0 ? &own : NULL);
    if (result.id == id)
        free(id);
}

static void creation_send(struct creation *job)
{
    _cleanup_free_ char *path = xasprintf("/containers/create?name=%s", job->name);
    _cleanup_free_ char *what = xasprintf("create container %s", job->name);
    struct docker_ask ask = {.what = what, .method = "POST", .path = path, .body = job->body, .json = true};
    docker_call(job->head.d, &ask, on_created, job);
}

/* Reports whether the job must read /info before the creation: once after each start of the engine. A
 * creation that Docker refuses for its limit would cause an event "destroy" with the container's name. */
static bool must_ask(const struct creation *job)
{
    const struct docker *d = job->head.d;
    return (job->limited && d->layer_limit == LAYER_LIMIT_UNKNOWN) || !d->engine_known;
}

static void creation_begin(struct creation *job)
{
    const char *why;
    if (!docker_takes_profile(job->head.d, &why))
        docker_create_without_profile(job->body);
    if (job->head.d->is_podman)
        docker_create_with_json_file(job->body);
    if (job->limited && job->head.d->layer_limit == LAYER_LIMIT_NO) {
        job->limited = false;
        json_object_del(json_object_get(job->body, "HostConfig"), "StorageOpt");
    }
    creation_send(job);
}

static void creation_learn(struct creation *job);

static void on_network(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct creation *job = userdata;
    struct runtime_result none = {0};
    if (e)
        creation_end(job, &none, e);
    else
        creation_learn(job);
}

static void on_volumes(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct creation *job = userdata;
    struct runtime_result none = {0};
    if (e)
        creation_end(job, &none, e);
    else if (job->network.cidr)
        docker_network_ensure(job->head.d, &job->network, job->name, on_network, job);
    else
        creation_learn(job);
}

static void on_info(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct creation *job = userdata;
    struct driver_info_out info = {0};
    if (!e && docker_read_info(body, &info, NULL) >= 0) {
        docker_learn_info(job->head.d, body);
        if (!info.layer_limit)
            job->head.d->layer_limit = LAYER_LIMIT_NO;
    }
    driver_info_done(&info);
    creation_begin(job); /* after an error of /info the creation fails as well and reports it */
}

static void creation_learn(struct creation *job)
{
    struct docker *d = job->head.d;
    if (!must_ask(job)) {
        creation_begin(job);
        return;
    }
    struct docker_ask ask = {.what = "ask Docker about itself", .path = "/info", .json = true};
    docker_call(d, &ask, on_info, job);
}

void docker_create(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer, void *userdata)
{
    struct creation *job = simple_job_new(rt, sizeof *job, answer, userdata);
    struct docker *d = job->head.d;
    struct error e = ERROR_INIT;
    job->name = xstrdup(spec->name);
    job->limited = d->settings->layer_size > 0;
    if (docker_create_body(spec, d->settings, job->limited ? d->settings->layer_size : 0, &job->body, &e) <
        0) {
        struct runtime_result none = {0};
        creation_end(job, &none, &e);
    } else {
        job->network = spec->network;
        job->network.cidr = xstrdup_null(spec->network.cidr);
        docker_volumes_check(d, spec, job->body, on_volumes, job);
    }
}

void docker_create_from(struct docker *d, json_t *body, const char *name, runtime_answer_fn answer,
                        void *userdata)
{
    struct creation *job = simple_job_new(&d->rt, sizeof *job, answer, userdata);
    job->name = xstrdup(name);
    job->body = body;
    creation_learn(job);
}
