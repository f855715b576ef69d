/* The reconciler as a whole: its instances, its sockets to the workers, start and end. */
#include "reconciler/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/app/app.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

void set_string(char **to, const char *value)
{
    char *copy = xstrdup_null(value);
    free(*to);
    *to = copy;
}

struct instance *manager_find(struct manager *m, const char *name)
{
    for (struct instance *i = m->instances; i; i = i->next)
        if (streq(i->record->name, name))
            return i;
    return NULL;
}

struct replica *instance_find_replica(struct instance *instance, int64_t id)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i]->record->id == id)
            return instance->replicas[i];
    return NULL;
}

struct replica *instance_add_replica(struct instance *instance, struct record_replica *record)
{
    struct replica *r = schema_append(&instance->replicas, &instance->n_replicas, sizeof *r);
    r->instance = instance;
    r->record = record;
    set_string(&r->message, record->failure);
    for (size_t i = instance->n_replicas - 1; i > 0 && instance->replicas[i - 1]->record->id > record->id;
         i--) {
        instance->replicas[i] = instance->replicas[i - 1];
        instance->replicas[i - 1] = r;
    }
    return r;
}

static void replica_free(struct replica *r)
{
    varlink_request_cancel(r->request);
    sd_event_source_disable_unref(r->timer);
    sd_event_source_disable_unref(r->crash_timer);
    schema_done(&driver_container_schema, &r->current);
    schema_done(&driver_container_schema, &r->old);
    free(r->message);
    free(r->quota_lost);
    free(r);
}

void instance_drop_replica(struct replica *replica)
{
    struct instance *instance = replica->instance;
    for (size_t i = 0; i < instance->n_replicas; i++)
        if (instance->replicas[i] == replica) {
            instance->n_replicas--;
            memmove(&instance->replicas[i], &instance->replicas[i + 1],
                    (instance->n_replicas - i) * sizeof *instance->replicas);
            break;
        }
    record_remove_replica(instance->record, replica->record->id);
    replica_free(replica);
}

struct instance *manager_add(struct manager *m, struct record *record)
{
    struct instance *instance = xcalloc(1, sizeof *instance);
    instance->manager = m;
    instance->record = record;
    for (size_t i = 0; i < record->n_replicas; i++)
        instance_add_replica(instance, record->replicas[i]);
    instance->next = m->instances;
    m->instances = instance;
    return instance;
}

static void instance_free(struct instance *instance)
{
    for (size_t i = 0; i < instance->n_replicas; i++)
        replica_free(instance->replicas[i]);
    free(instance->replicas);
    for (size_t i = 0; i < instance->n_prepares; i++)
        prepare_free(instance->prepares[i]);
    free(instance->prepares);
    sd_event_source_disable_unref(instance->save_timer);
    sd_event_source_disable_unref(instance->changed_source);
    schema_free(&record_schema, instance->record);
    free(instance);
}

void manager_forget(struct instance *instance)
{
    struct manager *m = instance->manager;
    for (struct instance **at = &m->instances; *at; at = &(*at)->next)
        if (*at == instance) {
            *at = instance->next;
            break;
        }
    if (failpoint("forget.before") < 0)
        log_notice("failpoint: instance %s is forgotten all the same", instance->record->name);
    store_remove(instance);
    instance_free(instance);
}

struct record_revision *instance_target(const struct instance *instance)
{
    return record_find_revision(instance->record, instance->record->revision);
}

bool has_data(const struct record_revision *revision)
{
    const struct app_options *o = revision ? revision->manifest->hostlet : NULL;
    return !o || o->init != APP_INIT_IMAGE;
}

enum want replica_want(const struct replica *replica)
{
    const char *action = replica_action(replica);
    if (streq(action, "destroy"))
        return WANT_GONE;
    return streq(action, "stop") ? WANT_STOP : streq(action, "none") ? WANT_NOTHING : WANT_RUN;
}

struct varlink_request *manager_call(struct manager *m, const char *socket,
                                     const struct varlink_interface *interface, const char *method,
                                     const void *in, bool more, uint64_t timeout_usec,
                                     varlink_answer_fn on_answer, void *userdata)
{
    struct varlink_call_options options = {.socket = socket,
                                           .interface = interface,
                                           .method = method,
                                           .in = in,
                                           .more = more,
                                           .timeout_usec = timeout_usec};
    return varlink_call_start(m->event, &options, on_answer, userdata);
}

void manager_set_info(struct manager *m, const struct driver_info_out *info)
{
    if (!m->info)
        m->info = xcalloc(1, sizeof *m->info);
    schema_done(&driver_info_schema, m->info);
    schema_copy(&driver_info_schema, info, m->info);
}

uint64_t backoff_msec(struct manager *m, unsigned attempt)
{
    uint64_t first = config_duration(m->context->config, "reconciler", "retry_min") / 1000;
    uint64_t most = config_duration(m->context->config, "reconciler", "retry_max") / 1000;
    uint64_t pause = first ?: 1;
    for (unsigned i = 1; i < attempt && pause < most; i++)
        pause *= 2;
    if (pause > most)
        pause = most;
    /* Jitter of ±10 %, so that what failed together does not return together. */
    uint8_t noise;
    random_bytes(&noise, 1);
    return pause - pause / 10 + pause * noise / 1275;
}

/* The id this machine has in the containers' environment: 4 hex digits of the time, 8 at random, made once.
 */
static int load_host_id(struct manager *m, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/host_id", m->state_dir), *text = NULL;
    int r = read_file_at(AT_FDCWD, path, 64, &text, NULL, e);
    if (r >= 0) {
        text[strcspn(text, "\n")] = '\0';
        size_t n = strspn(text, "0123456789abcdef");
        if (text[n] || n < 12 || n > 16)
            r = error_refuse(e, EINVAL, "'%s' does not hold a host id", path);
    }
    if (r >= 0) {
        m->host_id = TAKE_PTR(text);
        return 0;
    }
    if (r != -ENOENT) {
        /* Another id would be another container for each of this machine's own instances. */
        m->host_id_problem = xasprintf("%s: nothing of this machine's own instances is touched until it is "
                                       "repaired, or removed, and the "
                                       "reconciler restarted; a new id would recreate their containers",
                                       e->message);
        log_error("%s", m->host_id_problem);
        *e = (struct error)ERROR_INIT;
        return 0;
    }
    char now[17], noise[9];
    snprintf(now, sizeof now, "%08llx", (unsigned long long)time(NULL));
    random_hex(noise, 4);
    m->host_id = xasprintf("%.4s%s", now, noise);
    _cleanup_free_ char *line = xasprintf("%s\n", m->host_id);
    return replace_file(path, line, strlen(line), 0644, e);
}

int manager_new(struct service_context *context, struct manager **ret, struct error *e)
{
    struct manager *m = xcalloc(1, sizeof *m);
    m->context = context;
    m->event = sd_event_ref(context->event);
    m->state_dir = tree_state(&context->tree, "reconciler");
    m->driver_socket = tree_socket(&context->tree, "container-driver");
    m->fetcher_socket = tree_socket(&context->tree, "fetcher");
    m->unpacker_socket = tree_socket(&context->tree, "unpacker");
    m->provisioner_socket = tree_socket(&context->tree, "provisioner");
    m->quota_socket = tree_socket(&context->tree, "quota-keeper");
    int r = load_host_id(m, e);
    if (r >= 0)
        r = facts_load(m, e);
    if (r >= 0)
        r = secrets_prepare(m, e);
    if (r >= 0)
        r = store_load(m, e);
    if (r < 0) {
        manager_free(m);
        return r;
    }
    observe_start(m);
    quota_start(m);
    *ret = m;
    return 0;
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    struct error e = ERROR_INIT;
    quota_stop(m);
    varlink_request_cancel(m->watch);
    varlink_request_cancel(m->list);
    sd_event_source_disable_unref(m->watch_timer);
    while (m->instances) {
        struct instance *next = m->instances->next;
        if (m->instances->dirty && store_save(m->instances, &e) < 0)
            log_warning("%s", e.message);
        instance_free(m->instances);
        m->instances = next;
    }
    while (m->watchers) {
        struct watcher *next = m->watchers->next;
        free(m->watchers->name);
        free(m->watchers);
        m->watchers = next;
    }
    if (m->info)
        schema_free(&driver_info_schema, m->info);
    if (m->zone)
        schema_free(&reconciler_zone_facts_schema, m->zone);
    free(m->runtime_failure);
    free(m->state_dir);
    free(m->driver_socket);
    free(m->fetcher_socket);
    free(m->unpacker_socket);
    free(m->provisioner_socket);
    free(m->quota_socket);
    free(m->host_id);
    free(m->host_id_problem);
    free(m->facts_problem);
    unreadable_free_all(m);
    sd_event_unref(m->event);
    free(m);
}
