/* Implements images.h. */
#include "container-driver/docker/images.h"

#include <errno.h>

#include "container-driver/docker/call.h"
#include "container-driver/docker/inspect.h"
#include "container-driver/docker/simple.h"
#include "container-driver/reading.h"
#include "lib/app/reference.h"

#define LIST_MAX ((size_t)32 << 20)

static void on_inspected(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    _cleanup_free_ struct simple_job *job = userdata;
    struct error own = ERROR_INIT;
    _cleanup_driver_image_ struct driver_image *image = NULL;
    if (!e && docker_read_image(body, &image, &own) < 0)
        docker_set_state(job->d, DRIVER_RUNTIME_DOWN, e = &own);
    struct runtime_result result = {.image = image};
    job->answer(&result, e, job->userdata);
    image = result.image;
}

void docker_image_inspect(struct runtime *rt, const char *reference, runtime_answer_fn answer, void *userdata)
{
    struct error e = ERROR_INIT;
    _cleanup_image_reference_ struct image_reference *parsed = NULL;
    if (image_reference_parse(reference, &parsed, &e) < 0) {
        runtime_answer(answer, userdata, &e);
        return;
    }
    /* The reference is passed on as the caller wrote it, so that Docker's rules for short ids apply. Only a
     * tag beside a digest is omitted. */
    _cleanup_free_ char *name =
        parsed->digest ? image_reference_canonical(parsed) : xstrdup(parsed->id ?: parsed->text);
    _cleanup_free_ char *path = xasprintf("/images/%s/json", name),
                        *what = xasprintf("inspect image '%s'", reference);
    struct simple_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    struct docker_ask ask = {.what = what, .path = path, .json = true};
    docker_call(job->d, &ask, on_inspected, job);
}

static void on_listed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    _cleanup_free_ struct simple_job *job = userdata;
    struct error own = ERROR_INIT;
    size_t i;
    json_t *item;
    if (!e && !json_is_array(body)) {
        error_fail(&own, EPROTO, "Docker's list of images makes no sense: it is not a list");
        e = &own;
    }
    json_array_foreach(body, i, item)
    {
        _cleanup_driver_image_ struct driver_image *image = NULL;
        if (e || docker_read_image(item, &image, &own) < 0) {
            e = &own;
            break;
        }
        struct runtime_result result = {.image = image, .more = true};
        job->answer(&result, NULL, job->userdata);
        image = result.image;
    }
    if (own.errnum)
        docker_set_state(job->d, DRIVER_RUNTIME_DOWN, &own);
    runtime_answer(job->answer, job->userdata, e);
}

void docker_image_list(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    struct simple_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    struct docker_ask ask = {
        .what = "list images", .path = "/images/json", .json = true, .max_body = LIST_MAX};
    docker_call(job->d, &ask, on_listed, job);
}
