/* Implements the Docker runtime: its creation and release, its table of operations and Info. */
#include "container-driver/docker/docker.h"

#include "container-driver/docker/call.h"
#include "container-driver/docker/containers.h"
#include "container-driver/docker/copy.h"
#include "container-driver/docker/creation.h"
#include "container-driver/docker/events.h"
#include "container-driver/docker/images.h"
#include "container-driver/docker/inspect.h"
#include "container-driver/docker/logs.h"
#include "container-driver/docker/misnamed.h"
#include "container-driver/docker/network.h"
#include "container-driver/docker/pull.h"
#include "container-driver/docker/seccomp.h"
#include "container-driver/docker/update.h"
#include "container-driver/docker/volumes.h"
#include "container-driver/reading.h"
#include "lib/basic/log.h"

/* The time-out of Info is short, because an administrator waits for it. */
#define INFO_TIMEOUT_USEC (5 * USEC_PER_SEC)

struct info_job {
    struct docker *d;
    runtime_answer_fn answer;
    void *userdata;
};

static void on_info(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    _cleanup_free_ struct info_job *job = userdata;
    struct docker *d = job->d;
    struct driver_info_out info = {.runtime = xstrdup("docker")};
    struct error own = ERROR_INIT;
    if (!e && docker_read_info(body, &info, &own) < 0)
        docker_set_state(d, DRIVER_RUNTIME_DOWN, &own);
    else if (!e)
        docker_learn_info(d, body);
    docker_tell_seccomp(d, &info);
    if (!e && !own.errnum && d->layer_limit == LAYER_LIMIT_UNKNOWN && !info.layer_limit)
        d->layer_limit = LAYER_LIMIT_NO; /* without an attempt */
    info.layer_limit = info.layer_limit && d->layer_limit != LAYER_LIMIT_NO;
    info.state = e ? DRIVER_RUNTIME_DOWN : (int)d->state;
    info.reason = xstrdup_null(e ? e->message : d->reason);
    info.api_version = xstrdup_null(d->api);
    job->answer(&(struct runtime_result){.info = &info}, NULL, job->userdata);
    driver_info_done(&info);
}

static void docker_info(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    struct docker *d = (struct docker *)rt;
    uint64_t timeout = d->settings->request_timeout_usec;
    struct info_job *job = xcalloc(1, sizeof *job);
    *job = (struct info_job){.d = d, .answer = answer, .userdata = userdata};
    struct docker_ask ask = {.what = "ask Docker about itself",
                             .path = "/info",
                             .json = true,
                             .timeout_usec = timeout < INFO_TIMEOUT_USEC ? timeout : INFO_TIMEOUT_USEC};
    docker_call(d, &ask, on_info, job);
}

static void docker_free(struct runtime *rt)
{
    struct docker *d = (struct docker *)rt;
    d->freeing = true;
    docker_events_free(d->events);
    d->events = NULL;
    /* Calls in progress end without a reply: their clients see the end of the connection and retry. */
    while (d->calls)
        docker_call_cancel(d->calls);
    http_client_free(d->http);
    sd_event_unref(d->event);
    free(d->reason);
    free(d->api);
    free(d->seccomp_said);
    free(d);
}

static const struct runtime_ops docker_ops = {
    .name = "docker",
    .free = docker_free,
    .info = docker_info,
    .image_inspect = docker_image_inspect,
    .image_list = docker_image_list,
    .image_pull = docker_image_pull,
    .list = docker_list,
    .list_misnamed = docker_list_misnamed,
    .inspect = docker_inspect,
    .check_network = docker_network_check,
    .create = docker_create,
    .start = docker_start,
    .stop = docker_stop,
    .rename = docker_rename,
    .remove = docker_remove,
    .copy_volumes = docker_copy_volumes,
    .end_copy = docker_end_copy,
    .remove_volumes = docker_volumes_remove,
    .set_restart = docker_set_restart,
    .set_limits = docker_set_limits,
    .usage = docker_usage,
    .logs = docker_logs,
    .watch = docker_watch,
    .unwatch = docker_unwatch,
};

int docker_new(sd_event *event, const struct settings *settings, struct runtime **ret, struct error *e)
{
    struct docker *d = xcalloc(1, sizeof *d);
    d->rt.ops = &docker_ops;
    d->event = sd_event_ref(event);
    d->settings = settings;
    d->on_down = docker_events_break;
    int r = http_client_new(event, &d->http, e);
    if (r < 0) {
        docker_free(&d->rt);
        return r;
    }
    d->events = docker_events_new(d);
    *ret = &d->rt;
    return 0;
}
