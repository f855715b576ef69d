/* Records that cannot be read: each costs its own instance, and nothing else. Its containers are left as they
 * are, its name is taken, its packages and ports stay with it, and it is shown with the reason. It ends when
 * an administrator repairs the file and restarts the reconciler, or has the instance destroyed: then the file
 * is kept aside, and a new record removes whatever the name has on this machine.
 *
 * Also what blocks whole kinds of instances: the machine's own id, and what the zone said of it. */
#include "reconciler/model/unreadable.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/app/app.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/report.h"

void unreadable_add(struct manager *m, const char *file, const char *reason)
{
    struct unreadable *u = xcalloc(1, sizeof *u);
    u->name = xstrndup(file, strlen(file) - strlen(".json"));
    u->path = xasprintf("%s/instances/%s", m->state_dir, file);
    u->reason = xstrdup(reason);
    u->next = m->unreadable;
    m->unreadable = u;
    log_error("instance %s is left as it is: its record '%s' cannot be read: %s", u->name, u->path, reason);
}

static void unreadable_free(struct unreadable *u)
{
    if (u->order)
        schema_free(&app_instance_schema, u->order);
    free(u->ports);
    free(u->name);
    free(u->path);
    free(u->reason);
    free(u);
}

void unreadable_free_all(struct manager *m)
{
    while (m->unreadable) {
        struct unreadable *next = m->unreadable->next;
        unreadable_free(m->unreadable);
        m->unreadable = next;
    }
}

struct unreadable *unreadable_find(const struct manager *m, const char *name)
{
    for (struct unreadable *u = m->unreadable; u; u = u->next)
        if (streq(u->name, name))
            return u;
    return NULL;
}

char *unreadable_problem(const struct unreadable *u)
{
    return xasprintf("its record '%s' cannot be read: %.600s; nothing of it is touched until the file is "
                     "repaired and the reconciler "
                     "restarted, or 'hostletctl destroy %s' puts the file aside and removes its containers",
                     u->path, u->reason, u->name);
}

int unreadable_refuse(const struct unreadable *u, struct error *e)
{
    _cleanup_free_ char *problem = unreadable_problem(u);
    return error_refuse(e, EBADMSG, "instance %s: %s", u->name, problem);
}

void unreadable_saw(struct manager *m, const struct driver_container *c)
{
    struct unreadable *u = c->ours ? unreadable_find(m, c->instance) : NULL;
    for (size_t i = 0; u && i < c->n_ports; i++) {
        u->ports = xrealloc(u->ports, u->n_ports + 1, sizeof *u->ports);
        u->ports[u->n_ports++] = c->ports[i]->host_port;
    }
}

struct reconciler_instance *unreadable_report(const struct manager *m, const struct unreadable *u)
{
    struct reconciler_instance *to = xcalloc(1, sizeof *to);
    to->name = xstrdup(u->name);
    to->origin = xstrdup("unknown");
    to->action = xstrdup("none");
    to->failed = to->settled = true;
    to->problem = unreadable_problem(u);
    to->message = xstrdup(to->problem);
    if (u->order)
        report_clash(u->order, u->order_since, m->zone ? m->zone->host_id : NULL, to);
    return to;
}

int unreadable_put_order(struct manager *m, struct unreadable *u, const struct app_instance *wanted,
                         struct reconciler_zone_out *out, struct error *e)
{
    struct app_manifest whole = {.app = (struct app_instance *)wanted};
    int r = app_check_extent(&whole, "", e);
    if (r < 0)
        return r;
    out->problem = unreadable_problem(u);
    if (u->order && schema_equal(&app_instance_schema, u->order, wanted))
        return 0;
    if (u->order)
        schema_free(&app_instance_schema, u->order);
    u->order = xcalloc(1, sizeof *u->order);
    schema_copy(&app_instance_schema, wanted, u->order);
    u->order_since = now_realtime_msec();
    out->changed = true;
    unreadable_changed(m, u);
    return 0;
}

static void forget(struct manager *m, struct unreadable *u)
{
    for (struct unreadable **at = &m->unreadable; *at; at = &(*at)->next)
        if (*at == u) {
            *at = u->next;
            break;
        }
    unreadable_free(u);
}

/* A record by which everything goes that the name may have here: any replica's containers, data, quota. */
static struct record *make_destroyer(struct unreadable *u, bool purge)
{
    struct app_manifest manifest = {
        .app = &(struct app_instance){.meta = &(struct app_metadata){.name = u->name},
                                      .spec = &(struct app_spec){.name = u->name},
                                      .deploy = &(struct app_deploy){.action = NULL}}};
    struct record *record = xcalloc(1, sizeof *record);
    record->format = RECORD_FORMAT_LOCAL;
    record->name = xstrdup(u->name);
    record->origin = xstrdup("local");
    record->action = xstrdup("destroy");
    record->purge = purge;
    record_add_revision(record, 1, &manifest);
    app_default_options(record->revisions[0]->manifest);
    for (int64_t id = 0; id <= APP_REPLICA_ID_MAX; id++)
        record_add_replica(record, id);
    record_set_next(record, u->order, now_realtime_msec());
    return record;
}

int unreadable_destroy(struct manager *m, struct unreadable *u, bool purge, struct error *e)
{
    struct instance *instance = NULL;
    bool ours = app_check_instance_name(u->name, "/name", NULL) >= 0;
    int r = access(u->path, F_OK) < 0 ? 0 : keep_aside(u->path, e);
    if (r >= 0 && ours)
        r = apply_record(m, &instance, make_destroyer(u, purge), e);
    else if (r >= 0 && unlink(u->path) < 0 && errno != ENOENT)
        r = error_os(e, errno, "cannot remove '%s'", u->path);
    if (r < 0)
        return r;
    log_notice(
        "instance %s: its record, which could not be read, is kept as '%s.unreadable'; it is destroyed",
        u->name, u->path);
    forget(m, u);
    if (instance)
        apply_begin(instance);
    return 0;
}
