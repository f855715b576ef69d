/* Implements update.h. */
#include "container-driver/docker/update.h"

#include "container-driver/docker/call.h"
#include "container-driver/docker/limits.h"
#include "container-driver/docker/simple.h"
#include "container-driver/reading.h"
#include "lib/schema/object.h"

/* A change of limits in progress. */
struct limits_job {
    struct simple_job head;
    struct driver_container is; /* only id and limits */
    struct driver_limits_in wanted;
    int64_t cpus;
    bool quota;
};

static void limits_end(struct limits_job *job, const struct error *e)
{
    runtime_answer(job->head.answer, job->head.userdata, e);
    free(job->is.id);
    free(job);
}

static void update(struct limits_job *job);

static void on_updated(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    struct limits_job *job = userdata;
    struct error own = ERROR_INIT;
    unsigned status = docker_call_status(call);
    if (e && status == 409 && !job->quota && strcasestr(e->message, "Nano CPUs cannot be updated")) {
        job->quota = true; /* the container was made with a quota and a period */
        update(job);
        return;
    }
    if (e && status >= 400 && e->class != ERROR_RETRY) {
        own = *e;
        own.class = status == 404 ? ERROR_NOT_FOUND : ERROR_FAILED;
        e = &own;
    }
    limits_end(job, e);
}

static void update(struct limits_job *job)
{
    _cleanup_json_ json_t *body = docker_limits_body(&job->is, &job->wanted, job->cpus, job->quota);
    _cleanup_free_ char *path = xasprintf("/containers/%s/update", job->is.id),
                        *what = xasprintf("set the limits of container %.12s", job->is.id);
    struct docker_ask ask = {.what = what, .method = "POST", .path = path, .body = body};
    docker_call(job->head.d, &ask, on_updated, job);
}

static void on_info(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct limits_job *job = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's response to GET /info", .error = &own};
    job->cpus = e ? 0 : read_integer(&r, body, "NCPU");
    if (r.r < 0)
        e = &own;
    if (e)
        limits_end(job, e);
    else
        update(job);
}

void docker_set_limits(struct runtime *rt, const struct driver_container *c,
                       const struct driver_limits_in *limits, runtime_answer_fn answer, void *userdata)
{
    struct limits_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    job->is = (struct driver_container){.id = xstrdup(c->id),
                                        .cpu_limit = c->cpu_limit,
                                        .memory_limit = c->memory_limit,
                                        .pids_limit = c->pids_limit};
    job->wanted = (struct driver_limits_in){.cpu_limit = limits->cpu_limit,
                                            .memory_limit = limits->memory_limit,
                                            .pids_limit = limits->pids_limit};
    if (limits->cpu_limit > 0 || c->cpu_limit == 0) {
        update(job);
        return;
    }
    /* All processors stand for no limit of CPU. */
    struct docker_ask ask = {.what = "ask Docker about itself", .path = "/info", .json = true};
    docker_call(job->head.d, &ask, on_info, job);
}

static void on_stats(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    _cleanup_free_ struct simple_job *job = userdata;
    struct error own = ERROR_INIT;
    struct driver_usage_out usage = {.memory = 0};
    if (!e && docker_read_usage(body, &usage, &own) < 0)
        e = &own;
    struct runtime_result result = {.usage = &usage};
    job->answer(&result, e, job->userdata);
}

void docker_usage(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata)
{
    struct simple_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    /* Before API 1.41 Docker ignores one-shot, and responds after one or two seconds. */
    _cleanup_free_ char *path = xasprintf("/containers/%s/stats?stream=false&one-shot=true", id),
                        *what = xasprintf("read the usage of container %.12s", id);
    struct docker_ask ask = {.what = what, .path = path, .json = true};
    docker_call(job->d, &ask, on_stats, job);
}
