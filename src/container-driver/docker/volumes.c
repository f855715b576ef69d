/* Implements volumes.h. */
#include "container-driver/docker/volumes.h"

#include <errno.h>

#include "container-driver/docker/call.h"
#include "container-driver/docker/simple.h"
#include "container-driver/reading.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

/* Ends the name of a volume whose first name is in use with another directory. No key ends so, since two
 * hexadecimal digits follow each underscore in a key. */
#define OTHER_NAME "_moved"

/* A walk over volumes: to examine those of a container that is created, or to remove those of a replica. */
struct volumes_job {
    struct simple_job head;
    char *container; /* for errors */
    char *prefix;    /* of the names; only for the removal */
    char **names, **devices;
    size_t n_names, n_devices, at;
    json_t *mounts; /* of the body of the creation, which is not the job's */
    char *other;    /* the directory of the volume that is being replaced */
};

static void volumes_end(struct volumes_job *job, const struct error *e)
{
    runtime_answer(job->head.answer, job->head.userdata, e);
    for (size_t i = 0; i < job->n_names; i++)
        free(job->names[i]);
    for (size_t i = 0; i < job->n_devices; i++)
        free(job->devices[i]);
    free(job->names);
    free(job->devices);
    free(job->container);
    free(job->prefix);
    free(job->other);
    free(job);
}

static void delete_volume(struct volumes_job *job, docker_answer_fn answer)
{
    const char *name = job->names[job->at];
    _cleanup_free_ char *path = xasprintf("/volumes/%s", name), *what = xasprintf("remove volume %s", name);
    struct docker_ask ask = {.what = what, .method = "DELETE", .path = path};
    docker_call(job->head.d, &ask, answer, job);
}

/* --- the check --- */

static void check_next(struct volumes_job *job);

/* Gives the volume its other name, under which it is examined next. Reports whether it had its first one. */
static bool take_other_name(struct volumes_job *job)
{
    char **name = &job->names[job->at];
    size_t i;
    json_t *mount;
    if (has_suffix(*name, OTHER_NAME))
        return false;
    char *other = xasprintf("%s" OTHER_NAME, *name);
    json_array_foreach(job->mounts, i, mount)
    {
        if (streq_null(json_string_value(json_object_get(mount, "Source")), *name))
            json_object_set_new(mount, "Source", json_string(other));
    }
    log_notice("%s: volume %s has the directory '%s' as long as a container uses it; the next container has "
               "volume %s with '%s'",
               job->container, *name, job->other, other, job->devices[job->at]);
    free(*name);
    *name = other;
    return true;
}

static void on_replaced(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    struct volumes_job *job = userdata;
    struct error own = ERROR_INIT;
    if (e && docker_call_status(call) == 409) {
        if (take_other_name(job)) {
            check_next(job);
            return;
        }
        error_fail(&own, EBUSY,
                   "%s: volume %s has the directory '%s' and not '%s', and a container uses it: remove that "
                   "container",
                   job->container, job->names[job->at], job->other, job->devices[job->at]);
        e = &own;
    }
    if (e && docker_call_status(call) != 404) {
        volumes_end(job, e);
        return;
    }
    job->at++;
    check_next(job);
}

static void on_inspected(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    struct volumes_job *job = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's description of a volume", .error = &own};
    const char *name = job->names[job->at], *device = job->devices[job->at];
    if (e && docker_call_status(call) != 404) {
        volumes_end(job, e);
        return;
    }
    json_t *options = e ? NULL : read_object(&r, body, "Options");
    json_t *labels = e ? NULL : read_object(&r, body, "Labels");
    const char *tree = json_string_value(json_object_get(labels, LABEL_TREE));
    const char *driver = e ? "local" : need_string(&r, body, "Driver");
    const char *actual = e ? device : read_string(&r, options, "device") ?: "(none)";
    bool bound = e || streq_null(read_string(&r, options, "o"), "bind");
    if (r.r < 0) {
        docker_set_state(job->head.d, DRIVER_RUNTIME_DOWN, &own);
        volumes_end(job, &own);
    } else if (!e && !streq_null(tree, job->head.d->settings->tree_id)) {
        error_set(&own, ERROR_CONFLICT, ENOTUNIQ,
                  "%s: volume %s does not belong to this tree (its label " LABEL_TREE
                  " is %s) and is left unchanged: remove it",
                  job->container, name, tree ?: "missing");
        volumes_end(job, &own);
    } else if (!streq(driver, "local") || !bound || !streq(actual, device)) {
        set_string(&job->other, actual);
        log_notice("%s: volume %s is made again, because its directory is '%s' and not '%s'", job->container,
                   name, actual, device);
        delete_volume(job, on_replaced);
    } else {
        job->at++;
        check_next(job);
    }
}

static void check_next(struct volumes_job *job)
{
    if (job->at == job->n_names) {
        volumes_end(job, NULL);
        return;
    }
    const char *name = job->names[job->at];
    _cleanup_free_ char *path = xasprintf("/volumes/%s", name), *what = xasprintf("inspect volume %s", name);
    struct docker_ask ask = {.what = what, .path = path, .json = true};
    docker_call(job->head.d, &ask, on_inspected, job);
}

void docker_volumes_check(struct docker *d, const struct spec *spec, json_t *body, runtime_answer_fn answer,
                          void *userdata)
{
    struct volumes_job *job = simple_job_new(&d->rt, sizeof *job, answer, userdata);
    job->mounts = json_object_get(json_object_get(body, "HostConfig"), "Mounts");
    job->container = xstrdup(spec->name);
    for (size_t i = 0; i < spec->n_volumes; i++) {
        schema_append_string(&job->names, &job->n_names, spec->volumes[i].name);
        schema_append_string(&job->devices, &job->n_devices, spec->volumes[i].device);
    }
    check_next(job);
}

/* --- the removal --- */

static void remove_next(struct volumes_job *job);

static void on_removed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    struct volumes_job *job = userdata;
    unsigned status = docker_call_status(call);
    if (e && status != 404 && status != 409) {
        volumes_end(job, e);
        return;
    }
    /* 409: a container of another program uses it, and does not prevent the replica's removal. */
    if (e && status == 409)
        log_warning("%s; it stays in Docker with the directory that it has now: remove the container that "
                    "uses it",
                    e->message);
    job->at++;
    remove_next(job);
}

static void remove_next(struct volumes_job *job)
{
    if (job->at == job->n_names)
        volumes_end(job, NULL);
    else
        delete_volume(job, on_removed);
}

/* Reports whether 's' can be a part of a path. */
static bool is_plain(const char *s)
{
    return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")] == '\0';
}

static void on_listed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct volumes_job *job = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's list of volumes", .error = &own};
    size_t i;
    json_t *item;
    if (e) {
        volumes_end(job, e);
        return;
    }
    json_array_foreach(read_array(&r, body, "Volumes"), i, item)
    {
        const char *name = need_string(&r, item, "Name");
        if (after_prefix(name, job->prefix) && is_plain(name))
            schema_append_string(&job->names, &job->n_names, name);
    }
    if (r.r < 0) {
        docker_set_state(job->head.d, DRIVER_RUNTIME_DOWN, &own);
        volumes_end(job, &own);
    } else {
        remove_next(job);
    }
}

void docker_volumes_remove(struct runtime *rt, const char *prefix, runtime_answer_fn answer, void *userdata)
{
    struct volumes_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    job->prefix = xstrdup(prefix);
    _cleanup_free_ char *filters = xasprintf("{\"label\":[\"" LABEL_TREE "=%s\"],\"name\":[\"%s\"]}",
                                             job->head.d->settings->tree_id, prefix);
    _cleanup_free_ char *escaped = docker_escape(filters), *path = xasprintf("/volumes?filters=%s", escaped);
    struct docker_ask ask = {.what = "list volumes", .path = path, .json = true};
    docker_call(job->head.d, &ask, on_listed, job);
}
