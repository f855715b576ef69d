/* Implements containers.h. */
#include "container-driver/docker/containers.h"

#include <errno.h>

#include "container-driver/complete.h"
#include "container-driver/docker/call.h"
#include "container-driver/docker/inspect.h"
#include "container-driver/docker/simple.h"
#include "container-driver/name.h"
#include "container-driver/reading.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

#define LIST_MAX ((size_t)32 << 20)

/* Does the same as docker_read_container(), and adds this machine's own facts (complete.h). */
static int read_container(struct docker *d, json_t *body, bool by_labels, struct driver_container **ret,
                          struct error *e)
{
    int r = docker_read_container(body, d->settings->tree_id, by_labels, ret, e);
    if (r >= 0 && *ret)
        container_complete(d->settings, *ret);
    return r;
}

struct inspect_job {
    struct simple_job head;
    bool is_id;
};

static void on_inspected(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    _cleanup_free_ struct inspect_job *inspect = userdata;
    const struct simple_job *job = &inspect->head;
    struct error own = ERROR_INIT;
    _cleanup_driver_container_ struct driver_container *c = NULL;
    if (e && docker_call_status(call) == 404)
        e = NULL;
    else if (!e && read_container(job->d, body, inspect->is_id, &c, &own) < 0)
        docker_set_state(job->d, DRIVER_RUNTIME_DOWN, e = &own);
    struct runtime_result result = {.container = c};
    job->answer(&result, e, job->userdata);
    c = result.container;
}

void docker_inspect(struct runtime *rt, const char *name, bool is_id, runtime_answer_fn answer,
                    void *userdata)
{
    struct inspect_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    job->is_id = is_id;
    _cleanup_free_ char *what = xasprintf("inspect container %s", name),
                        *path = xasprintf("/containers/%s/json", name);
    struct docker_ask ask = {.what = what, .path = path, .json = true};
    docker_call(job->head.d, &ask, on_inspected, job);
}

/* A list in progress. Docker's list contains only a part of a container's description, so the job inspects
 * each container of the list. */
struct list_job {
    struct simple_job head;
    char **ids;
    size_t n_ids, at;
};

static void list_next(struct list_job *job);

static void list_end(struct list_job *job, const struct error *e)
{
    struct runtime_result none = {0};
    job->head.answer(&none, e, job->head.userdata);
    for (size_t i = 0; i < job->n_ids; i++)
        free(job->ids[i]);
    free(job->ids);
    free(job);
}

static void on_listed_one(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    struct list_job *job = userdata;
    struct error own = ERROR_INIT;
    _cleanup_driver_container_ struct driver_container *c = NULL;
    if (e && docker_call_status(call) == 404)
        e = NULL; /* it was removed after the list */
    else if (!e && read_container(job->head.d, body, false, &c, &own) < 0)
        docker_set_state(job->head.d, DRIVER_RUNTIME_DOWN, e = &own);
    if (e) {
        list_end(job, e);
        return;
    }
    if (c) {
        struct runtime_result result = {.container = c, .more = true};
        job->head.answer(&result, NULL, job->head.userdata);
        c = result.container;
    }
    list_next(job);
}

static void list_next(struct list_job *job)
{
    if (job->at == job->n_ids) {
        list_end(job, NULL);
        return;
    }
    _cleanup_free_ char *path = xasprintf("/containers/%s/json", job->ids[job->at++]);
    struct docker_ask ask = {.what = "inspect a container of the list", .path = path, .json = true};
    docker_call(job->head.d, &ask, on_listed_one, job);
}

/* Reports whether 's' is a container's id. An id becomes a part of a path. */
static bool is_id(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n <= 128 && strspn(s, "0123456789abcdef") == n;
}

static void on_listed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct list_job *job = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's list of containers", .error = &own};
    size_t i;
    json_t *item;
    if (!e && !json_is_array(body))
        r.r = error_fail(&own, EPROTO, "Docker's list of containers makes no sense: it is not a list");
    json_array_foreach(body, i, item)
    {
        const char *id = need_string(&r, item, "Id");
        if (r.r == 0 && !is_id(id))
            r.r = error_fail(&own, EPROTO,
                             "Docker's list of containers makes no sense: an id is not hexadecimal");
        if (r.r == 0)
            schema_append_string(&job->ids, &job->n_ids, id);
    }
    if (r.r < 0)
        docker_set_state(job->head.d, DRIVER_RUNTIME_DOWN, e = &own);
    if (e)
        list_end(job, e);
    else
        list_next(job);
}

void docker_list(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    struct list_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    _cleanup_free_ char *filters = docker_escape("{\"name\":[\"^/" CONTAINER_NAME_PREFIX "\"]}");
    _cleanup_free_ char *path = xasprintf("/containers/json?all=1&filters=%s", filters);
    struct docker_ask ask = {.what = "list containers", .path = path, .json = true, .max_body = LIST_MAX};
    docker_call(job->head.d, &ask, on_listed, job);
}

struct start_job {
    struct simple_job head;
    char *id;
    struct error lost;
};

static void start_end(struct start_job *job, const struct error *e)
{
    runtime_answer(job->head.answer, job->head.userdata, e);
    free(job->id);
    free(job);
}

static void on_lost_removed(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct start_job *job = userdata;
    log_warning("%s: %s", job->lost.message,
                e ? e->message
                  : "the container was removed, because Docker can never start it; its data is kept");
    start_end(job, &job->lost);
}

/* Reports whether Docker can never start a container again. When Docker exits while it starts a container,
 * its successor finds the task in containerd and neither uses nor removes it, so that every start fails
 * (since 20.10). The driver removes the container, and the caller's next attempt creates a new one. */
static bool has_lost_task(const struct error *e, unsigned status, const char *id)
{
    _cleanup_free_ char *words = xasprintf("task %s: already exists", id);
    return status == 500 && strstr(e->message, words);
}

/* Classifies the error of a start. Docker refuses a start with several statuses (400: no such program, 404:
 * no such device, 500: the port is in use), all of which mean a failure. A container that does not exist (not
 * found) or is being removed (retry) is an exception. */
static void on_started(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    struct start_job *job = userdata;
    struct error own = ERROR_INIT;
    unsigned status = docker_call_status(call);
    if (e && has_lost_task(e, status, job->id)) {
        job->lost = *e;
        job->lost.class = ERROR_RETRY;
        docker_remove(&job->head.d->rt, job->id, true, on_lost_removed, job);
        return;
    }
    if (e && status >= 400) {
        own = *e;
        e = &own;
        bool gone = status == 404 && strcasestr(own.message, "no such container");
        if (!gone && own.class != ERROR_RETRY)
            own.class = status == 409 ? ERROR_RETRY : ERROR_FAILED;
    }
    start_end(job, e);
}

void docker_start(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata)
{
    struct start_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    job->id = xstrdup(id);
    _cleanup_free_ char *path = xasprintf("/containers/%s/start", id),
                        *what = xasprintf("start container %.12s", id);
    struct docker_ask ask = {.what = what, .method = "POST", .path = path};
    docker_call(job->head.d, &ask, on_started, job);
}

void docker_stop(struct runtime *rt, const char *id, int64_t timeout_msec, runtime_answer_fn answer,
                 void *userdata)
{
    struct docker *d = (struct docker *)rt;
    int64_t seconds = (timeout_msec + 999) / 1000;
    _cleanup_free_ char *path = xasprintf("/containers/%s/stop?t=%lld", id, (long long)seconds);
    _cleanup_free_ char *what = xasprintf("stop container %.12s", id);
    struct docker_ask ask = {.what = what,
                             .method = "POST",
                             .path = path,
                             .timeout_usec =
                                 d->settings->request_timeout_usec + (uint64_t)seconds * USEC_PER_SEC};
    simple_call(rt, &ask, answer, userdata);
}

void docker_rename(struct runtime *rt, const char *id, const char *name, runtime_answer_fn answer,
                   void *userdata)
{
    _cleanup_free_ char *path = xasprintf("/containers/%s/rename?name=%s", id, name);
    _cleanup_free_ char *what = xasprintf("rename container %.12s to %s", id, name);
    struct docker_ask ask = {.what = what, .method = "POST", .path = path};
    simple_call(rt, &ask, answer, userdata);
}

static void on_removed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    _cleanup_free_ struct simple_job *job = userdata;
    struct error own = ERROR_INIT;
    if (e && docker_call_status(call) == 409) { /* "removal … is already in progress" */
        own = *e;
        own.class = ERROR_RETRY;
        e = &own;
    }
    runtime_answer(job->answer, job->userdata, e);
}

void docker_remove(struct runtime *rt, const char *id, bool keep_volumes, runtime_answer_fn answer,
                   void *userdata)
{
    struct simple_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    _cleanup_free_ char *path = xasprintf("/containers/%s?force=1&v=%d", id, keep_volumes ? 0 : 1);
    _cleanup_free_ char *what = xasprintf("remove container %.12s", id);
    struct docker_ask ask = {.what = what, .method = "DELETE", .path = path};
    docker_call(job->d, &ask, on_removed, job);
}

void docker_set_restart(struct runtime *rt, const char *id, int policy, runtime_answer_fn answer,
                        void *userdata)
{
    const char *name = policy == DRIVER_RESTART_ALWAYS ? "always" : "no";
    _cleanup_json_ json_t *body = json_pack("{s:{s:s}}", "RestartPolicy", "Name", name);
    _cleanup_free_ char *path = xasprintf("/containers/%s/update", id);
    _cleanup_free_ char *what = xasprintf("set the restart policy of container %.12s to %s", id, name);
    struct docker_ask ask = {.what = what, .method = "POST", .path = path, .body = body};
    simple_call(rt, &ask, answer, userdata);
}
