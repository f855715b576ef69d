/* Handlers of io.hostlet.Provisioner. A handler checks the parameters in the loop; a job, whose key is the
 * container, does the work in a thread. */
#include "provisioner/methods.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "config.h"
#include "lib/api/provisioner.h"
#include "lib/app-path/app_path.h"
#include "lib/app/name.h"
#include "lib/app/volume.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "provisioner/deletion.h"
#include "provisioner/manager.h"
#include "provisioner/publisher.h"
#include "provisioner/removal.h"
#include "provisioner/replica.h"

/* bytes */
#define TASK_NAME_MAX 1000

struct request;

struct operation {
    const char *name;
    int (*work)(struct request *request);   /* runs in the thread */
    void (*reply)(struct request *request); /* runs in the loop on success, unless the caller hung up */
    bool removes;                           /* manager_expire() runs afterwards */
    bool purges;                            /* the reply waits until what the job hid is deleted */
};

struct request {
    struct work work;
    const struct operation *operation;
    struct manager *manager;
    struct varlink_call *call; /* NULL: the caller hung up */
    char *apps, *container;
    char *json, *ininit, *inagent;
    char **volumes;
    size_t n_volumes;
    enum volumes_copy copy;
    /* restored: kept data became the replica's directory again. hidden: the job hid something that has to
     * be deleted. */
    bool restored, hidden;
    char *kept;
    struct names others;
    int result;
    struct error e;
};

static void request_free(struct request *q)
{
    free(q->apps);
    free(q->container);
    free(q->json);
    free(q->ininit);
    free(q->inagent);
    app_volumes_free(q->volumes, q->n_volumes);
    free(q->kept);
    names_clear(&q->others);
    free(q);
}
DEFINE_CLEANUP(struct request *, request_free);

static void request_work(struct work *work)
{
    struct request *q = (struct request *)work;
    q->result = q->operation->work(q);
}

static void request_answer(struct request *q)
{
    struct varlink_call *call = TAKE_PTR(q->call);
    if (call)
        varlink_call_on_gone(call, NULL, NULL);
    if (call && q->result < 0) {
        varlink_error(call, &q->e);
    } else if (call) {
        q->call = call;
        q->operation->reply(q);
    }
    if (q->result >= 0 && q->operation->removes)
        manager_expire(q->manager);
    request_free(q);
}

static void on_deleted(int result, const struct error *e, void *userdata)
{
    struct request *q = userdata;
    q->result = result;
    if (result < 0) {
        q->e = *e;
        error_prefix(&q->e, "%s", q->container);
    }
    request_answer(q);
}

static void request_done(struct work *work)
{
    struct request *q = (struct request *)work;
    bool purged = q->operation->purges && q->result >= 0;
    if (q->hidden)
        deletion_start(q->manager, q->container, purged ? on_deleted : NULL, q);
    if (q->result < 0) /* deletion.c logs its own failures */
        log_warning("%s: %s", q->operation->name, q->e.message);
    if (!purged)
        request_answer(q);
}

/* Keeps the job running without its caller. It completes, or a later request continues what it began. */
static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct request *q = userdata;
    q->call = NULL;
}

static int request_new(const struct operation *operation, struct manager *m, struct varlink_call *call,
                       const char *container, struct request **ret, struct error *e)
{
    int r = app_path_check_container(container, e);
    if (r < 0)
        return r;
    struct request *q = xcalloc(1, sizeof *q);
    *q = (struct request){.work = {.run = request_work, .done = request_done},
                          .operation = operation,
                          .manager = m,
                          .call = call,
                          .apps = xstrdup(m->apps),
                          .container = xstrdup(container)};
    q->work.key = q->container;
    *ret = q;
    return 0;
}

static int request_start(struct request *q)
{
    varlink_call_on_gone(q->call, on_gone, q);
    workers_add(q->manager->jobs, &q->work);
    return 0;
}

/* Makes the text of app_replica.json. Refuses a replica that is not the one of 'container'. With
 * 'starting', the state in the text is "starting". */
static int make_json(const char *container, const struct app_replica_instance *replica, bool starting,
                     char **ret, struct error *e)
{
    const struct app_instance *app = replica->app;
    if (!app || !app->meta || !app->meta->name || !replica->replica)
        return error_refuse(e, EINVAL, "%s: the replica lacks app.meta.name or replica", container);
    _cleanup_free_ char *name = app_container_name(app->meta->name, replica->replica->id);
    if (!streq(name, container))
        return error_refuse(e, EINVAL, "%s: the replica given is that of '%s'", container, name);
    json_t *json = schema_pack(&app_replica_instance_schema, replica);
    if (starting)
        json_object_set_new(json_object_get(json, "replica"), "state", json_string("starting"));
    _cleanup_free_ char *text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    if (!text)
        abort();
    *ret = xasprintf("%s\n", text);
    return 0;
}

/* Sets the paths of inagent and ininit. 'arch' can be the packages' or the runtime's name of an
 * architecture; NULL is the one of this build. */
static int find_programs(struct request *q, const char *arch, struct error *e)
{
    static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}};
    arch = arch ?: HOSTLET_ARCH;
    if (!*arch || strspn(arch, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(arch) || strlen(arch) > 32)
        return error_refuse(e, EINVAL, "'%.64s' is no architecture", arch);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(arch, names[i][0]))
            arch = names[i][1];
    _cleanup_free_ char *program = xasprintf("inagent-linux-%s", arch);
    q->inagent = tree_program(q->manager->tree, program);
    q->ininit = xasprintf("%s/ininit", q->manager->tree->data);
    return 0;
}

/* Sets the paths of the volumes, and refuses those that are not well-formed. */
static int set_volumes(struct request *q, char *const *paths, size_t n, struct error *e)
{
    static const struct app_volume_rules rules = {0}; /* container-driver, which mounts, has more */
    for (size_t i = 0; i < n; i++) {
        int r = app_volume_check(paths[i], &rules, e);
        if (r < 0)
            return error_prefix(e, "%s", q->container);
        schema_append_string(&q->volumes, &q->n_volumes, paths[i]);
    }
    return 0;
}

/* --- Provision --- */

static int provision_work(struct request *q)
{
    struct replica_content content = {q->json, q->ininit, q->inagent, q->volumes, q->n_volumes};
    struct replica_result result = {.hidden = false};
    int r = replica_provision(q->apps, q->container, &content, &result, &q->e);
    q->restored = result.restored;
    q->hidden = result.hidden;
    return r;
}

static void provision_reply(struct request *q)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", q->apps, q->container);
    if (q->restored)
        log_info("%s: restored its kept data", q->container);
    varlink_reply(q->call, &(struct provisioner_provision_out){.path = path, .restored = q->restored});
}

static int on_provision(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    static const struct operation operation = {"Provision", provision_work, provision_reply, false, false};
    const struct provisioner_provision_in *i = in;
    _cleanup_(cleanup_request_free) struct request *q = NULL;
    int r = request_new(&operation, userdata, call, i->container, &q, e);
    if (r >= 0 && i->replica)
        r = make_json(i->container, i->replica, true, &q->json, e);
    if (r >= 0 && i->replica)
        r = find_programs(q, i->arch, e);
    if (r >= 0)
        r = set_volumes(q, i->volumes, i->n_volumes, e);
    return r < 0 ? r : request_start(TAKE_PTR(q));
}

/* --- Update --- */

static int update_work(struct request *q)
{
    struct replica_content content = {.json = q->json};
    struct replica_result result = {.hidden = false};
    int r = replica_update(q->apps, q->container, &content, &result, &q->e);
    q->hidden = result.hidden;
    return r;
}

static void update_reply(struct request *q)
{
    varlink_reply(q->call, NULL);
}

static int on_update(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    static const struct operation operation = {"Update", update_work, update_reply, false, false};
    const struct provisioner_update_in *i = in;
    _cleanup_(cleanup_request_free) struct request *q = NULL;
    int r = request_new(&operation, userdata, call, i->container, &q, e);
    if (r >= 0)
        r = make_json(i->container, i->replica, false, &q->json, e);
    return r < 0 ? r : request_start(TAKE_PTR(q));
}

/* --- RequestTask --- */

static int request_task_work(struct request *q)
{
    struct replica_result result = {.hidden = false};
    int r = replica_request(q->apps, q->container, q->json, &result, &q->e);
    q->hidden = result.hidden;
    return r;
}

/* Makes the text of task_request.json. inagent accepts a file of 16 KiB, so that this one always fits. */
static int make_request(const struct provisioner_request_task_in *in, char **ret, struct error *e)
{
    size_t n = strlen(in->id);
    if (n < 1 || n > 64 || strspn(in->id, "0123456789abcdefghijklmnopqrstuvwxyz-") != n)
        return error_refuse(e, EINVAL, "%s: '%.64s' is no id of a request", in->container, in->id);
    if (strlen(in->task) > TASK_NAME_MAX)
        return error_refuse(e, E2BIG, "%s: the name of a task has at most %d bytes", in->container,
                            TASK_NAME_MAX);
    json_t *json = json_pack("{s:i, s:s, s:s}", "format", 1, "id", in->id, "task", in->task);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text)
        abort(); /* the strings are UTF-8: they arrived as JSON */
    *ret = text;
    return 0;
}

static int on_request_task(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    static const struct operation operation = {"RequestTask", request_task_work, update_reply, false, false};
    const struct provisioner_request_task_in *i = in;
    _cleanup_(cleanup_request_free) struct request *q = NULL;
    int r = request_new(&operation, userdata, call, i->container, &q, e);
    if (r >= 0)
        r = make_request(i, &q->json, e);
    return r < 0 ? r : request_start(TAKE_PTR(q));
}

/* --- BeginCopy, EndCopy --- */

static int copy_work(struct request *q)
{
    struct replica_result result = {.hidden = false};
    int r = replica_copy(q->apps, q->container, q->copy, q->volumes, q->n_volumes, &result, &q->e);
    q->hidden = result.hidden;
    return r;
}

static int copy_start(struct varlink_call *call, struct manager *m, enum volumes_copy act,
                      const struct provisioner_copy_in *in, struct error *e)
{
    static const struct operation begin = {"BeginCopy", copy_work, update_reply, false, false};
    static const struct operation end = {"EndCopy", copy_work, update_reply, false, false};
    _cleanup_(cleanup_request_free) struct request *q = NULL;
    int r = request_new(act == COPY_BEGIN ? &begin : &end, m, call, in->container, &q, e);
    if (r >= 0)
        r = set_volumes(q, in->volumes, in->n_volumes, e);
    if (r < 0)
        return r;
    q->copy = act;
    return request_start(TAKE_PTR(q));
}

static int on_begin_copy(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return copy_start(call, userdata, COPY_BEGIN, in, e);
}

static int on_end_copy(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct provisioner_copy_in *i = in;
    return copy_start(call, userdata, i->complete ? COPY_COMPLETE : COPY_DROP, i, e);
}

/* --- Remove --- */

static int keep_work(struct request *q)
{
    return removal_keep(q->apps, q->container, &q->kept, &q->hidden, &q->e);
}

static int purge_work(struct request *q)
{
    q->hidden = true; /* also on failure, which can leave a part hidden */
    int r = removal_hide(q->apps, q->container, &q->e);
    return r < 0 ? r : removal_kept_others(q->apps, q->container, &q->others, &q->e);
}

static void remove_reply(struct request *q)
{
    _cleanup_free_ char *kept = q->kept ? xasprintf("%s/%s", q->apps, q->kept) : NULL;
    varlink_reply(q->call, &(struct provisioner_remove_out){kept, q->others.items, q->others.n});
}

static int on_remove(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    static const struct operation keep = {"Remove", keep_work, remove_reply, true, false};
    static const struct operation purge = {"Remove", purge_work, remove_reply, true, true};
    const struct provisioner_remove_in *i = in;
    struct request *q = NULL;
    int r = request_new(i->purge ? &purge : &keep, userdata, call, i->container, &q, e);
    return r < 0 ? r : request_start(q);
}

/* --- List --- */

static int on_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    struct manager *m = userdata;
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "the list comes as a stream: the call must set 'more'");
    _cleanup_close_ int apps = app_path_open(m->apps, e);
    int r = apps < 0 ? apps : app_path_list(apps, &entries, &n, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        if (!entries[i].container)
            continue;
        _cleanup_free_ char *path = xasprintf("%s/%s", m->apps, entries[i].name);
        varlink_notify(call, &(struct provisioner_list_out){.container = entries[i].container,
                                                            .path = path,
                                                            .removed = entries[i].removed,
                                                            .removed_at = entries[i].removed_at});
    }
    app_path_list_free(entries, n);
    varlink_reply(call, &(struct provisioner_list_out){.container = NULL});
    return 0;
}

/* --- Deletions --- */

static int on_deletions(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "the list comes as a stream: the call must set 'more'");
    return deletions_list(call, userdata, e);
}

const struct varlink_handlers provisioner_handlers[] = {{"Provision", on_provision},
                                                        {"Update", on_update},
                                                        {"RequestTask", on_request_task},
                                                        {"BeginCopy", on_begin_copy},
                                                        {"EndCopy", on_end_copy},
                                                        {"Remove", on_remove},
                                                        {"List", on_list},
                                                        {"Deletions", on_deletions},
                                                        {"Publish", publisher_publish},
                                                        {"Unpublish", publisher_unpublish},
                                                        {NULL, NULL}};
