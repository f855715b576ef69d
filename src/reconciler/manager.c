/* Implements manager.h. */
#include "reconciler/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "reconciler/engine/observe.h"
#include "reconciler/engine/quota.h"
#include "reconciler/engine/turn.h"
#include "reconciler/face/directory.h"
#include "reconciler/face/report.h"
#include "reconciler/face/zone.h"
#include "reconciler/face/zone_network.h"
#include "reconciler/model/facts.h"
#include "reconciler/model/secret.h"
#include "reconciler/model/settings.h"
#include "reconciler/model/store.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/outside.h"

/* Reads the machine's own host id, which its containers have in their environment, or makes it: 4 hex digits
 * of the time and 8 random ones. If the file cannot be read, the function sets m->host_id_problem and returns
 * 0. */
static int load_host_id(struct manager *m, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/host_id", m->state_dir), *text = NULL;
    int r = read_file_at(AT_FDCWD, path, 64, &text, NULL, e);
    if (r >= 0) {
        text[strcspn(text, "\n")] = '\0';
        size_t n = strspn(text, "0123456789abcdef");
        if (text[n] || n < 12 || n > 16)
            r = error_refuse(e, EINVAL, "'%s' does not contain a host id", path);
    }
    if (r >= 0) {
        m->host_id = TAKE_PTR(text);
        return 0;
    }
    if (r != -ENOENT) {
        /* A new id would recreate the containers of all local instances. */
        m->host_id_problem =
            xasprintf("%s: local instances are left unchanged until the file is repaired or removed and the "
                      "reconciler restarted; a new id would recreate their containers",
                      e->message);
        log_error("%s", m->host_id_problem);
        *e = (struct error)ERROR_INIT;
        return 0;
    }
    char now[17], noise[9];
    snprintf(now, sizeof now, "%08llx", (unsigned long long)outside_now_msec(m->outside) / 1000);
    random_hex(noise, 4);
    m->host_id = xasprintf("%.4s%s", now, noise);
    _cleanup_free_ char *line = xasprintf("%s\n", m->host_id);
    return replace_file(path, line, strlen(line), 0644, e);
}

struct process {
    struct manager manager; /* first */
    struct process_outside outside;
};

static void name_free(struct manager *m, const char *name, struct app_instance *next)
{
    zone_take_over(m, next);
    directory_look(m, name);
}

static const struct listener face = {
    .changed = report_changed,
    .gone = report_gone,
    .name_free = name_free,
};

int manager_new(struct service_context *context, struct manager **ret, struct error *e)
{
    struct process *process = xcalloc(1, sizeof *process);
    struct manager *m = &process->manager;
    process_outside_init(&process->outside, context->event);
    m->outside = &process->outside.outside;
    settings_read(&m->settings, context->config);
    m->turn = turn;
    m->listener = &face;
    m->state_dir = tree_state(&context->tree, "reconciler");
    m->driver_socket = tree_socket(&context->tree, "container-driver");
    m->fetcher_socket = tree_socket(&context->tree, "fetcher");
    m->unpacker_socket = tree_socket(&context->tree, "unpacker");
    m->provisioner_socket = tree_socket(&context->tree, "provisioner");
    m->quota_socket = tree_socket(&context->tree, "quota-keeper");
    m->net_socket = tree_socket(&context->tree, "net-keeper");
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
    directory_start(m, context->event);
    *ret = m;
    return 0;
}

void manager_reload(struct manager *m)
{
    directory_read_all(m);
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    struct error e = ERROR_INIT;
    zone_network_stop(m);
    directory_stop(m);
    quota_stop(m);
    observe_stop(m);
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
    free(m->net_socket);
    free(m->host_id);
    free(m->host_id_problem);
    free(m->facts_problem);
    unreadable_free_all(m);
    free((struct process *)m);
}
