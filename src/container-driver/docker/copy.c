/* Implements copy.h. The copy's container is made, started and followed by its log, which ends when it exits;
 * then its exit code is read, and it is removed. A copy that the caller cancels, or that a killed driver
 * left, is removed in the same way. */
#include "container-driver/docker/copy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "container-driver/docker/call.h"
#include "container-driver/docker/containers.h"
#include "container-driver/docker/create.h"
#include "container-driver/docker/creation.h"
#include "container-driver/docker/logs.h"
#include "container-driver/docker/simple.h"
#include "container-driver/reading.h"
#include "container-driver/tail.h"
#include "lib/basic/log.h"
#include "lib/logs/frames.h"

/* --- the removal of a copy's container --- */

struct end_job {
    struct simple_job head;
    char *name;
};

static void end_answer(struct end_job *job, const struct error *e)
{
    runtime_answer(job->head.answer, job->head.userdata, e);
    free(job->name);
    free(job);
}

static void on_removed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    struct error own = ERROR_INIT;
    unsigned status = docker_call_status(call);
    if (e && status == 409) { /* "removal … is already in progress" */
        own = *e;
        own.class = ERROR_RETRY;
        e = &own;
    }
    end_answer(userdata, e && status == 404 ? NULL : e);
}

static void on_found(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    struct end_job *job = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's description of a container", .error = &own};
    json_t *labels = e ? NULL : read_object(&r, body, "Config/Labels");
    const char *tree = json_string_value(json_object_get(labels, LABEL_COPY));
    if (e || r.r < 0) {
        end_answer(job, r.r < 0 ? &own : docker_call_status(call) == 404 ? NULL : e);
        return;
    }
    if (!streq_null(tree, job->head.d->settings->tree_id)) {
        error_set(&own, ERROR_CONFLICT, EEXIST,
                  "container '%s' does not belong to this tree and is left unchanged: remove it", job->name);
        end_answer(job, &own);
        return;
    }
    _cleanup_free_ char *path = xasprintf("/containers/%s?force=1&v=1", job->name),
                        *what = xasprintf("remove container %s", job->name);
    struct docker_ask ask = {.what = what, .method = "DELETE", .path = path};
    docker_call(job->head.d, &ask, on_removed, job);
}

void docker_end_copy(struct runtime *rt, const char *name, runtime_answer_fn answer, void *userdata)
{
    struct end_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    job->name = xstrdup(name);
    _cleanup_free_ char *path = xasprintf("/containers/%s/json", name),
                        *what = xasprintf("inspect container %s", name);
    struct docker_ask ask = {.what = what, .path = path, .json = true};
    docker_call(job->head.d, &ask, on_found, job);
}

/* --- the copy --- */

struct copy_job {
    struct runtime_job job;
    struct docker *d;
    runtime_answer_fn answer;
    void *userdata;
    json_t *body; /* of the creation */
    char *name, *id;
    struct runtime_job *logs;
    struct log_frames frames;
    struct tail tail;
    struct error error; /* why the copy failed; errnum 0: it did not */
    bool cancelled;
};

static void copy_free(struct copy_job *c)
{
    json_decref(c->body);
    tail_done(&c->tail);
    free(c->name);
    free(c->id);
    free(c);
}

/* Ends the job when its container is removed. A complete copy is no failure if the engine fails to remove it.
 */
static void on_ended(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct copy_job *c = userdata;
    if (e && c->id && !c->cancelled)
        log_warning("container '%s': %s; the next copy, or the removal of the replica, removes it", c->name,
                    e->message);
    else if (e && !c->error.errnum)
        c->error = *e;
    if (!c->cancelled)
        runtime_answer(c->answer, c->userdata, &c->error);
    copy_free(c);
}

static void copy_end(struct copy_job *c, const struct error *e)
{
    if (e)
        c->error = *e;
    docker_end_copy(&c->d->rt, c->id ?: c->name, on_ended, c);
}

/* Reports whether the job goes on; else it ends with the error, or because it was cancelled. */
static bool copy_goes_on(struct copy_job *c, const struct error *e)
{
    if (!e && !c->cancelled)
        return true;
    copy_end(c, e);
    return false;
}

static void copy_cancel(struct runtime_job *job)
{
    struct copy_job *c = (struct copy_job *)job;
    struct runtime_job *logs = TAKE_PTR(c->logs);
    c->cancelled = true;
    if (!logs) /* the request in progress ends the job */
        return;
    runtime_job_cancel(logs);
    copy_end(c, NULL);
}

static void on_exit_code(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct copy_job *c = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's description of a container", .error = &own};
    if (!copy_goes_on(c, e))
        return;
    const char *status = need_string(&r, body, "State/Status");
    int64_t code = read_integer(&r, body, "State/ExitCode");
    bool killed = read_bool(&r, body, "State/OOMKilled");
    char **lines = NULL, text[24];
    size_t n = 0;
    tail_take(&c->tail, &lines, &n);
    snprintf(text, sizeof text, "%lld", (long long)code);
    const char *words = n > 0 ? after_prefix(lines[n - 1], "inagent: error: ") ?: lines[n - 1] : NULL;
    if (r.r >= 0 && !streq(status, "exited"))
        error_retry(&own, EAGAIN, "container '%s' is %s, although its log ended", c->name, status);
    else if (r.r >= 0 && killed)
        error_fail(&own, ENOMEM, "the copy of the volumes was killed for lack of memory");
    else if (r.r >= 0 && code != 0)
        error_fail(&own, EIO, "the copy of the volumes failed: %s%s", words ?: "it exited with code ",
                   words ? "" : text);
    copy_end(c, own.errnum ? &own : NULL);
    for (size_t i = 0; i < n; i++)
        free(lines[i]);
    free(lines);
}

static void on_log_end(const struct error *e, void *userdata)
{
    struct copy_job *c = userdata;
    c->logs = NULL;
    if (!copy_goes_on(c, e))
        return;
    _cleanup_free_ char *path = xasprintf("/containers/%s/json", c->id),
                        *what = xasprintf("inspect container %s", c->name);
    struct docker_ask ask = {.what = what, .path = path, .json = true};
    docker_call(c->d, &ask, on_exit_code, c);
}

static int on_log_data(const void *data, size_t size, void *userdata)
{
    struct copy_job *c = userdata;
    struct error ignored = ERROR_INIT;
    return log_frames_feed(&c->frames, data, size, tail_piece, &c->tail, &ignored);
}

static void on_started(struct runtime_result *result, const struct error *e, void *userdata)
{
    static const struct runtime_log_options follow = {.follow = true};
    (void)result;
    struct copy_job *c = userdata;
    if (copy_goes_on(c, e))
        c->logs = docker_logs(&c->d->rt, c->id, &follow, on_log_data, on_log_end, c);
}

static void on_created(struct runtime_result *result, const struct error *e, void *userdata)
{
    struct copy_job *c = userdata;
    if (!copy_goes_on(c, e))
        return;
    c->id = xstrdup(result->id);
    docker_start(&c->d->rt, c->id, on_started, c);
}

static void on_cleared(struct runtime_result *result, const struct error *e, void *userdata)
{
    (void)result;
    struct copy_job *c = userdata;
    if (e)
        c->error = *e;
    if (e || c->cancelled)
        on_ended(NULL, NULL, c);
    else
        docker_create_from(c->d, TAKE_PTR(c->body), c->name, on_created, c);
}

struct runtime_job *docker_copy_volumes(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer,
                                        void *userdata)
{
    struct copy_job *c = xcalloc(1, sizeof *c);
    *c = (struct copy_job){.job.cancel = copy_cancel,
                           .d = (struct docker *)rt,
                           .answer = answer,
                           .userdata = userdata,
                           .name = xstrdup(spec->name),
                           .tail.max = 1};
    struct error e = ERROR_INIT;
    if (docker_create_body(spec, c->d->settings, 0, &c->body, &e) < 0)
        copy_end(c, &e);
    else
        docker_end_copy(rt, c->name, on_cleared, c);
    return &c->job;
}
