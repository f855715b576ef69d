/* Implements misnamed.h. Docker's list contains all that is needed: no container is inspected. */
#include "container-driver/docker/misnamed.h"

#include <errno.h>

#include "container-driver/complete.h"
#include "container-driver/docker/call.h"
#include "container-driver/docker/inspect.h"
#include "container-driver/docker/simple.h"
#include "container-driver/reading.h"
#include "container-driver/spec.h"

#define LIST_MAX ((size_t)32 << 20)

static void on_listed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    _cleanup_free_ struct simple_job *job = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's list of containers", .error = &own};
    size_t i;
    json_t *item;
    if (!e && !json_is_array(body))
        r.r = error_fail(&own, EPROTO, "Docker's list of containers makes no sense: it is not a list");
    json_array_foreach(body, i, item)
    {
        _cleanup_driver_container_ struct driver_container *c = docker_read_misnamed(&r, item);
        if (r.r < 0)
            break;
        struct runtime_result result = {.container = c, .more = true};
        if (c)
            container_complete(job->d->settings, c);
        if (c)
            job->answer(&result, NULL, job->userdata);
        c = result.container;
    }
    if (r.r < 0)
        docker_set_state(job->d, DRIVER_RUNTIME_DOWN, e = &own);
    runtime_answer(job->answer, job->userdata, e);
}

void docker_list_misnamed(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    struct simple_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    _cleanup_free_ char *filters = docker_escape("{\"label\":[\"" LABEL_NAME "\",\"" LABEL_REPLICA "\"]}");
    _cleanup_free_ char *path = xasprintf("/containers/json?all=1&filters=%s", filters);
    struct docker_ask ask = {
        .what = "list containers by their labels", .path = path, .json = true, .max_body = LIST_MAX};
    docker_call(job->d, &ask, on_listed, job);
}
