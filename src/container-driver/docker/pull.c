/* Implements pull.h: sends the credentials, reports progress, and returns the pulled image. */
#include "container-driver/docker/pull.h"

#include <errno.h>

#include "container-driver/credentials.h"
#include "container-driver/docker/call.h"
#include "container-driver/docker/failure.h"
#include "container-driver/docker/images.h"
#include "container-driver/docker/progress.h"
#include "container-driver/lines.h"
#include "lib/app/reference.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

#define LINE_MAX_BYTES      ((size_t)256 << 10)
#define PROGRESS_EVERY_USEC (100 * USEC_PER_MSEC)

struct pull {
    struct runtime_job job;
    struct docker *d;
    runtime_answer_fn answer;
    void *userdata;
    struct docker_call *call;
    sd_event_source *refused; /* reports a pull that failed before it began */
    struct error error;
    char *reference;
    struct lines lines;
    struct progress progress;
    uint64_t told_usec;
    bool cancelled; /* during the inspection of the pulled image */
};

static void pull_free(struct pull *p)
{
    sd_event_source_disable_unref(p->refused);
    lines_done(&p->lines);
    progress_done(&p->progress);
    free(p->reference);
    free(p);
}

static void pull_cancel(struct runtime_job *job)
{
    struct pull *p = (struct pull *)job;
    if (!p->call && !p->refused) {
        p->cancelled = true; /* on_present() frees it */
        return;
    }
    docker_call_cancel(p->call);
    pull_free(p);
}

static void tell_progress(struct pull *p, bool now)
{
    uint64_t time = now_monotonic_usec();
    if (!now && time - p->told_usec < PROGRESS_EVERY_USEC)
        return;
    p->told_usec = time;
    struct driver_pull_out out = {.status = p->progress.status};
    progress_sum(&p->progress, &out.done, &out.total);
    struct runtime_result result = {.progress = &out, .more = true};
    p->answer(&result, NULL, p->userdata);
}

static int on_line(char *line, size_t size, void *userdata)
{
    struct pull *p = userdata;
    return progress_line(&p->progress, line, size, &p->error);
}

static int on_data(struct docker_call *call, const void *data, size_t size, void *userdata)
{
    struct pull *p = userdata;
    if (lines_feed(&p->lines, data, size, on_line, p, &p->error) < 0) {
        error_prefix(&p->error, "cannot pull image '%s'", p->reference);
        return docker_call_fail(call, &p->error);
    }
    tell_progress(p, false);
    return 0;
}

/* Ends the pull with the image, which is now present under its name. */
static void on_present(struct runtime_result *found, const struct error *e, void *userdata)
{
    struct pull *p = userdata;
    if (!p->cancelled) {
        struct runtime_result result = {.id = e ? NULL : found->image->id, .image = found->image};
        p->answer(&result, e, p->userdata);
    }
    pull_free(p);
}

static void on_pulled(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    struct pull *p = userdata;
    p->call = NULL;
    if (e) {
        p->error = *e;
        if (docker_call_status(call) >= 400)
            docker_pull_classify(&p->error);
        runtime_answer(p->answer, p->userdata, &p->error);
        pull_free(p);
        return;
    }
    tell_progress(p, true);
    docker_image_inspect(&p->d->rt, p->reference, on_present, p);
}

static int on_refused(sd_event_source *s, void *userdata)
{
    (void)s;
    struct pull *p = userdata;
    error_prefix(&p->error, "cannot pull image '%s'", p->reference);
    runtime_answer(p->answer, p->userdata, &p->error);
    pull_free(p);
    return 0;
}

static int pull_start(struct pull *p, struct error *e)
{
    _cleanup_image_reference_ struct image_reference *r = NULL;
    _cleanup_free_ char *auth = NULL;
    int x = image_reference_parse(p->reference, &r, e);
    if (x >= 0 && r->id)
        x = error_refuse(e, EINVAL, "it is an id, and registries have no images by id");
    if (x >= 0)
        x = credentials_read(p->d->settings->docker_config, r->domain, &auth, e);
    if (x < 0)
        return x;
    if (auth && readable_by_all(p->d->settings->docker_config))
        log_warning(
            "[container-driver] docker_config: all users may read the passwords in '%s': chmod 0640, with a "
            "group of hostlet-container-driver's",
            p->d->settings->docker_config);
    _cleanup_free_ char *repository = image_reference_repository(r), *escaped = docker_escape(repository);
    _cleanup_free_ char *tag = docker_escape(r->digest ?: r->tag);
    _cleanup_free_ char *path = xasprintf("/images/create?fromImage=%s&tag=%s", escaped, tag);
    _cleanup_free_ char *what = xasprintf("pull image '%s'", p->reference);
    _cleanup_free_ char *header = auth ? xasprintf("X-Registry-Auth: %s", auth) : NULL;
    struct docker_ask ask = {.what = what,
                             .method = "POST",
                             .path = path,
                             .header = header,
                             .timeout_usec = p->d->settings->pull_timeout_usec,
                             .quiet_seconds = (unsigned)(p->d->settings->pull_timeout_usec / USEC_PER_SEC),
                             .on_data = on_data};
    p->call = docker_call(p->d, &ask, on_pulled, p);
    return 0;
}

struct runtime_job *docker_image_pull(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                      void *userdata)
{
    struct pull *p = xcalloc(1, sizeof *p);
    *p = (struct pull){.job.cancel = pull_cancel,
                       .d = (struct docker *)rt,
                       .answer = answer,
                       .userdata = userdata,
                       .reference = xstrdup(reference),
                       .lines.max = LINE_MAX_BYTES};
    if (pull_start(p, &p->error) < 0)
        sd_event_add_defer(p->d->event, &p->refused, on_refused, p);
    return &p->job;
}
