/* Implements the null runtime's table of operations. */
#include "container-driver/null/null.h"

#include <errno.h>
#include <unistd.h>

#include "container-driver/complete.h"
#include "container-driver/name.h"
#include "container-driver/null/behaviour.h"
#include "container-driver/null/copy.h"
#include "container-driver/null/image.h"
#include "container-driver/null/life.h"
#include "container-driver/null/logs.h"
#include "container-driver/null/store.h"
#include "container-driver/owner.h"
#include "lib/schema/object.h"

#include "config.h"

int null_no_container(const char *id, struct error *e)
{
    return error_set(e, ERROR_NOT_FOUND, ENOENT, "no such container: %.12s", id);
}

struct null_container *null_find(struct null *n, const char *id_or_name)
{
    for (struct null_container *k = n->containers; k; k = k->next)
        if (streq(k->c->id, id_or_name) || streq(k->c->name, id_or_name))
            return k;
    return NULL;
}

void null_event(struct null_container *k, const char *action)
{
    struct null *n = k->null;
    bool ours =
        (k->tree && streq(k->tree, n->settings->tree_id)) || adopted_has(n->settings->adopted, k->c->id);
    if (!n->watched || !n->rt.on_event || !ours)
        return;
    struct driver_event event = {.id = k->c->id,
                                 .instance = k->c->instance,
                                 .replica_id = k->c->replica_id,
                                 .slot = k->c->slot,
                                 .action = (char *)action,
                                 .exit_code = k->c->exit_code};
    n->rt.on_event(&event, n->rt.watch_userdata);
}

static void null_info(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    const struct null *n = (const struct null *)rt;
    struct driver_info_out info = {
        .runtime = (char *)"null",
        .state = DRIVER_RUNTIME_UP,
        .version = (char *)PACKAGE_VERSION,
        .arch = (char *)HOSTLET_ARCH,
        .cpus = sysconf(_SC_NPROCESSORS_ONLN),
        .memory = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE),
        .live_restore = true,
        .images = (int64_t)n->n_images,
    };
    for (const struct null_container *k = n->containers; k; k = k->next)
        info.containers++;
    answer(&(struct runtime_result){.info = &info}, NULL, userdata);
}

/* Copies a container's description, and adds the members that depend on this tree and on the settings.
 * Returns NULL if it is none of a replica. */
static struct driver_container *describe(struct null_container *k, bool by_labels)
{
    struct driver_container *c = xcalloc(1, sizeof *c);
    schema_copy(&driver_container_schema, k->c, c);
    const struct owner_labels labels = {k->tree, k->app_name, k->app_rep_id};
    if (!owner_find_replica(c, &labels, by_labels)) {
        driver_container_free(c);
        return NULL;
    }
    owner_set(c, k->null->settings->tree_id, &labels);
    container_complete(k->null->settings, c);
    return c;
}

static void null_list(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    struct null *n = (struct null *)rt;
    for (struct null_container *k = n->containers; k; k = k->next) {
        _cleanup_driver_container_ struct driver_container *c = describe(k, false);
        if (!c)
            continue;
        struct runtime_result result = {.container = c, .more = true};
        answer(&result, NULL, userdata);
        c = result.container;
    }
    runtime_answer(answer, userdata, NULL);
}

/* Returns none: the containers are made by trees. */
static void null_list_misnamed(struct runtime *rt, runtime_answer_fn answer, void *userdata)
{
    (void)rt;
    runtime_answer(answer, userdata, NULL);
}

static void null_inspect(struct runtime *rt, const char *name, bool is_id, runtime_answer_fn answer,
                         void *userdata)
{
    struct null_container *k = null_find((struct null *)rt, name);
    _cleanup_driver_container_ struct driver_container *c = k ? describe(k, is_id) : NULL;
    struct runtime_result result = {.container = c};
    answer(&result, NULL, userdata);
    c = result.container;
}

static char *label_of(const struct spec *spec, const char *name)
{
    return xstrdup_null(schema_map_get(spec->labels, spec->n_labels, name));
}

static struct driver_container *from_spec(const struct spec *spec, const char *image_id,
                                          const struct null_behaviour *behaviour)
{
    struct driver_container *c = xcalloc(1, sizeof *c);
    char id[65];
    random_hex(id, 32);
    c->id = xstrdup(id);
    c->name = xstrdup(spec->name);
    container_name_parse(spec->name, &c->instance, &c->replica_id, &c->slot);
    c->image = xstrdup(spec->image);
    c->image_id = xstrdup(image_id);
    c->config = xstrdup(schema_map_get(spec->labels, spec->n_labels, LABEL_CONFIG));
    parse_int64(schema_map_get(spec->labels, spec->n_labels, LABEL_REVISION), 0, INT64_MAX, &c->revision);
    c->state = DRIVER_CREATED;
    c->cpu_limit = spec->cpu_limit;
    c->memory_limit = spec->memory_limit;
    c->pids_limit = spec->pids_limit;
    c->stop_timeout_msec = spec->stop_timeout_sec * 1000;
    c->vpc_ipv4 = xstrdup_null(spec->vpc_ipv4);
    for (size_t i = 0; i < spec->n_mounts; i++) {
        c->lxcfs |= streq(spec->mounts[i].target, "/proc/meminfo");
        c->agent_socket |= streq(spec->mounts[i].target, AGENT_SOCKET_DIRECTORY);
    }
    for (size_t i = 0; i < spec->n_volumes; i++)
        schema_append_string(&c->volumes, &c->n_volumes, spec->volumes[i].target);
    if (behaviour->anonymous[0]) {
        struct driver_volume *v = schema_append(&c->anonymous_volumes, &c->n_anonymous_volumes, sizeof *v);
        v->path = xstrdup(behaviour->anonymous);
        v->name = xstrdup(id);
    }
    for (size_t i = 0; i < spec->n_ports; i++)
        schema_copy(&driver_port_schema, spec->ports[i],
                    schema_append(&c->ports, &c->n_ports, sizeof **c->ports));
    return c;
}

static int check_spec(struct null *n, const struct spec *spec, struct null_image **ret_image, struct error *e)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (spec->cpu_limit > cpus * 1000)
        return error_refuse(e, ERANGE,
                            "cannot create container %s: it requires more than the machine's %ld CPUs",
                            spec->name, cpus);
    *ret_image = null_find_image(n, spec->image, e);
    if (!*ret_image)
        return error_prefix(e, "cannot create container %s", spec->name);
    if (null_find(n, spec->name))
        return error_set(e, ERROR_CONFLICT, EEXIST, "the name '%s' is in use", spec->name);
    return 0;
}

/* Accepts every range: the null runtime makes no network, and what its containers need of one exists. No MTU
 * limits it. */
static void null_check_network(struct runtime *rt, const char *cidr, runtime_answer_fn answer, void *userdata)
{
    (void)rt, (void)cidr;
    const struct driver_network network = {.mtu = 0};
    answer(&(struct runtime_result){.network = &network}, NULL, userdata);
}

static void null_create(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer, void *userdata)
{
    struct null *n = (struct null *)rt;
    struct error e = ERROR_INIT;
    struct null_image *image = NULL;
    if (check_spec(n, spec, &image, &e) < 0) {
        runtime_answer(answer, userdata, &e);
        return;
    }
    const struct null_behaviour behaviour = null_behaviour_of(image->reference);
    struct null_container *k = xcalloc(1, sizeof *k);
    *k = (struct null_container){.null = n,
                                 .next = n->containers,
                                 .tree = xstrdup(n->settings->tree_id),
                                 .app_name = label_of(spec, LABEL_NAME),
                                 .app_rep_id = label_of(spec, LABEL_REPLICA),
                                 .c = from_spec(spec, image->id, &behaviour)};
    n->containers = k;
    if (null_save(k, &e) < 0) {
        null_forget(k);
        runtime_answer(answer, userdata, &e);
        return;
    }
    null_event(k, "create");
    struct runtime_result result = {.id = k->c->id, .layer_unlimited = true};
    answer(&result, NULL, userdata);
}

static void null_rename(struct runtime *rt, const char *id, const char *name, runtime_answer_fn answer,
                        void *userdata)
{
    struct null *n = (struct null *)rt;
    struct error e = ERROR_INIT;
    struct null_container *k = null_find(n, id);
    if (!k) {
        null_no_container(id, &e);
    } else if (null_find(n, name)) {
        error_set(&e, ERROR_CONFLICT, EEXIST, "cannot rename container %s: the name '%s' is in use",
                  k->c->name, name);
    } else {
        char *instance;
        if (container_name_parse(name, &instance, &k->c->replica_id, &k->c->slot)) {
            free(k->c->instance);
            k->c->instance = instance;
        }
        set_string(&k->c->name, name);
        null_save(k, &e);
        null_event(k, "rename");
    }
    runtime_answer(answer, userdata, &e);
}

static void null_remove(struct runtime *rt, const char *id, bool keep_volumes, runtime_answer_fn answer,
                        void *userdata)
{
    (void)keep_volumes;
    struct null_container *k = null_find((struct null *)rt, id);
    struct error e = ERROR_INIT;
    if (k) {
        if (k->c->state == DRIVER_RUNNING) {
            k->c->state = DRIVER_EXITED;
            k->c->exit_code = 137;
            null_event(k, "die");
        }
        null_event(k, "destroy");
        null_logs_changed(k);
        null_forget(k);
    } else {
        null_no_container(id, &e);
    }
    runtime_answer(answer, userdata, &e);
}

static void null_set_restart(struct runtime *rt, const char *id, int policy, runtime_answer_fn answer,
                             void *userdata)
{
    struct null_container *k = null_find((struct null *)rt, id);
    struct error e = ERROR_INIT;
    if (k) {
        k->c->restart = policy;
        null_save(k, &e);
        null_event(k, "update");
    } else {
        null_no_container(id, &e);
    }
    runtime_answer(answer, userdata, &e);
}

static void null_set_limits(struct runtime *rt, const struct driver_container *c,
                            const struct driver_limits_in *limits, runtime_answer_fn answer, void *userdata)
{
    struct null_container *k = null_find((struct null *)rt, c->id);
    struct error e = ERROR_INIT;
    if (!k) {
        null_no_container(c->id, &e);
    } else {
        k->c->cpu_limit = limits->cpu_limit;
        k->c->memory_limit = limits->memory_limit;
        k->c->pids_limit = limits->pids_limit;
        null_save(k, &e);
        null_event(k, "update");
    }
    runtime_answer(answer, userdata, &e);
}

static void null_usage(struct runtime *rt, const char *id, runtime_answer_fn answer, void *userdata)
{
    struct null *n = (struct null *)rt;
    const struct null_container *k = null_find(n, id);
    struct error e = ERROR_INIT;
    struct driver_usage_out usage = {.memory = 0};
    if (k)
        usage = (struct driver_usage_out){
            .memory = null_behaviour_of(null_image_words(n, k->c->image)).memory, .pids = 1};
    else
        null_no_container(id, &e);
    struct runtime_result result = {.usage = &usage};
    answer(&result, k ? NULL : &e, userdata);
}

static void null_watch(struct runtime *rt)
{
    ((struct null *)rt)->watched = true;
    rt->on_flow(NULL, rt->watch_userdata);
}

static void null_unwatch(struct runtime *rt)
{
    ((struct null *)rt)->watched = false;
}

static void null_free(struct runtime *rt)
{
    struct null *n = (struct null *)rt;
    while (n->containers) {
        struct null_container *k = n->containers;
        n->containers = k->next;
        null_container_free(k);
    }
    for (size_t i = 0; i < n->n_images; i++) {
        free(n->images[i].reference);
        free(n->images[i].id);
    }
    free(n->images);
    free(n->directory);
    sd_event_unref(n->event);
    free(n);
}

static const struct runtime_ops null_ops = {
    .name = "null",
    .free = null_free,
    .info = null_info,
    .image_inspect = null_image_inspect,
    .image_list = null_image_list,
    .image_pull = null_image_pull,
    .list = null_list,
    .list_misnamed = null_list_misnamed,
    .inspect = null_inspect,
    .check_network = null_check_network,
    .create = null_create,
    .start = null_start,
    .stop = null_stop,
    .rename = null_rename,
    .remove = null_remove,
    .copy_volumes = null_copy_volumes,
    .end_copy = null_end_copy,
    .remove_volumes = null_remove_volumes,
    .set_restart = null_set_restart,
    .set_limits = null_set_limits,
    .usage = null_usage,
    .logs = null_logs,
    .watch = null_watch,
    .unwatch = null_unwatch,
};

int null_new(sd_event *event, const struct settings *settings, const char *directory, struct runtime **ret,
             struct error *e)
{
    struct null *n = xcalloc(1, sizeof *n);
    n->rt.ops = &null_ops;
    n->event = sd_event_ref(event);
    n->settings = settings;
    n->directory = xstrdup(directory);
    int r = null_load(n, e);
    if (r < 0) {
        null_free(&n->rt);
        return r;
    }
    for (struct null_container *k = n->containers; k; k = k->next)
        null_resume(k);
    *ret = &n->rt;
    return 0;
}
