/* Implements the command import: takes over a machine from the original agent of InnerStack v2 without
 * restarting a container.
 * The order of the steps makes an incomplete import harmless: hostlet receives the machine's applications
 * last, after it has adopted their containers. Each step can be repeated, and so can an interrupted import.
 */
#include "ctl/import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ctl/apps.h"
#include "ctl/call.h"
#include "ctl/enable.h"
#include "ctl/options.h"
#include "ctl/original.h"
#include "ctl/output.h"
#include "ctl/services.h"
#include "ctl/table.h"
#include "lib/api/container_driver.h"
#include "lib/api/reconciler.h"
#include "lib/api/rpc_gateway.h"
#include "lib/app/name.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "lib/varlink/unix.h"
#include "lib/zone/file.h"

#define CONFIG_NAME "50-import.conf"
#define LEDGER      "hostlet_vol_quota.json"
#define LEDGER_MAX  ((size_t)64 << 20)
#define READY_USEC  (30 * USEC_PER_SEC)
#define PAUSE_NS    (50 * 1000 * 1000)

/* One replica of this machine, and its container as Docker shows it. */
struct item {
    const struct app_instance *instance;
    int64_t replica_id, revision; /* revision −1: unknown */
    char *container;
    struct driver_container *found; /* NULL: there is none */
};

struct import {
    struct ctl *ctl;
    struct original original;
    struct item *items;
    size_t n_items;
    char *settings; /* text of CONFIG_NAME */
};

/* --- inspection --- */

static void find_items(struct import *import)
{
    const struct original *o = &import->original;
    for (size_t i = 0; i < o->n_instances; i++) {
        const struct app_instance *a = o->instances[i];
        for (size_t k = 0; a->meta && a->meta->name && a->deploy && k < a->deploy->n_replicas; k++) {
            const struct app_replica *r = a->deploy->replicas[k];
            if (!streq_null(r->host_id, o->hostlet->host_id))
                continue;
            import->items = xrealloc(import->items, import->n_items + 1, sizeof *import->items);
            struct item *item = &import->items[import->n_items++];
            *item = (struct item){.instance = a, .replica_id = r->id};
            item->container = app_container_name(a->meta->name, r->id);
            item->revision = original_revision(o, item->container);
        }
    }
}

static void on_container(const void *answer, void *userdata)
{
    struct import *import = userdata;
    const struct driver_container *c = ((const struct driver_inspect_out *)answer)->container;
    for (size_t i = 0; c && i < import->n_items; i++)
        if (streq(c->name, import->items[i].container)) {
            import->items[i].found = xcalloc(1, sizeof *c);
            schema_copy(&driver_container_schema, c, import->items[i].found);
        }
}

/* Returns the text of hostlet.conf.d/50-import.conf: the original's settings. The caller frees it. */
static char *make_settings(const struct import *import)
{
    const struct original *o = &import->original;
    const struct original_hostlet *h = o->hostlet;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    fprintf(file, "# Made by hostletctl import from %s. Yours to change.\n[hostlet]\napp_path = %s\n\n",
            o->dir, o->app_path);
    fprintf(file, "[zone]\nenable = yes\npeer_port = %" PRId64 "\nhttp_port = %" PRId64 "\n",
            o->server->peer_port, o->server->http_port);
    if (h->lan_addr && *h->lan_addr)
        fprintf(file, "lan_addr = %s\n", h->lan_addr);
    if (h->n_dns_servers > 0 || h->lxc_fs_enable)
        fprintf(file, "\n[container-driver]\n");
    if (h->n_dns_servers > 0) {
        fputs("dns_servers =", file);
        for (size_t i = 0; i < h->n_dns_servers; i++)
            fprintf(file, " %s", h->dns_servers[i]);
        fputc('\n', file);
    }
    if (h->lxc_fs_enable)
        fputs("lxcfs = yes\n", file);
    fclose(file);
    return text;
}

/* Refuses if hostlet has applications in another app path: after the change of the path hostlet would no
 * longer find their data. */
static int check_place(struct import *import, struct error *e)
{
    struct instance_list apps = {.n_items = 0};
    _cleanup_free_ char *ours = NULL;
    int r = configured_app_path(import->ctl, &ours, e);
    if (r < 0 || streq(ours, import->original.app_path))
        return r;
    r = instance_list_read(import->ctl, &apps, e);
    if (r >= 0 && apps.n_items > 0)
        r = error_refuse(
            e, EEXIST,
            "hostlet already has applications below '%s', and the original agent's are below '%s': "
            "a tree has one app_path",
            ours, import->original.app_path);
    instance_list_done(&apps);
    return r;
}

/* Returns the process id of hostletd, which listens on the ports of the tree whether or not rpc-gateway runs;
 * 0: it is not running. */
static pid_t find_supervisor(const struct ctl *ctl)
{
    _cleanup_free_ char *socket = tree_socket(&ctl->tree, ctl_supervisor.socket);
    _cleanup_close_ int fd = unix_connect(socket, NULL);
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof peer;
    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

/* Refuses if the machine has another host id. rpc-gateway would also refuse, but only after the containers
 * were adopted. */
static int check_identity(const struct import *import, struct error *e)
{
    const struct original_hostlet *h = import->original.hostlet;
    struct zone_file zone = {.format = 0};
    int r = zone_file_read(&import->ctl->tree, &zone, e);
    if (r == -ENOENT)
        return 0;
    if (r >= 0 && !streq_null(zone.host_id, h->host_id))
        r = error_refuse(
            e, EEXIST,
            "this machine is already host %s, and the original's id is %s: leave that zone first "
            "(hostletctl zone leave)",
            zone.host_id, h->host_id);
    zone_file_done(&zone);
    return r;
}

static int look(struct import *import, struct error *e)
{
    int r = original_read(import->ctl->arguments[0], &import->original, e);
    if (r >= 0)
        r = original_check_stopped(&import->original, find_supervisor(import->ctl), e);
    if (r >= 0)
        r = check_identity(import, e);
    if (r < 0)
        return r;
    find_items(import);
    import->settings = make_settings(import);
    r = ctl_stream(import->ctl, &ctl_driver, "List", NULL, on_container, import, e);
    return r < 0 ? r : check_place(import, e);
}

/* --- output --- */

static const char *fate(const struct item *item)
{
    if (!item->found)
        return "no container: created if its action is start";
    if (item->found->tree)
        return "belongs to another hostlet tree: not adopted";
    if (item->found->ours && !item->found->adopted)
        return "already belongs to this tree";
    if (item->revision < 0)
        return "adopted; its revision is unknown, so the zone's order will recreate it";
    if (item->instance->deploy->revision > item->revision)
        return "adopted; a newer revision is desired, so it will be switched";
    return item->found->adopted ? "already adopted" : "adopted as it runs";
}

static void print_plan(const struct import *import)
{
    const struct original *o = &import->original;
    printf("host %s, zone hosts:", o->hostlet->host_id);
    for (size_t i = 0; i < o->server->n_zone_hosts; i++)
        printf(" %s", o->server->zone_hosts[i]);
    printf("\n%zu quota%s, %zu secret%s of containers\n\n", o->n_quotas, o->n_quotas == 1 ? "" : "s",
           o->n_secrets, o->n_secrets == 1 ? "" : "s");
    struct table *t = table_new("CONTAINER", "STATE", "REVISION", "WANTED", "WHAT HAPPENS", NULL);
    for (size_t i = 0; i < import->n_items; i++) {
        const struct item *item = &import->items[i];
        table_cell(t, PLAIN, "%s", item->container);
        table_cell(t, PLAIN, "%s",
                   item->found ? schema_enum_name(&driver_state_enum, item->found->state) : "none");
        table_cell(t, PLAIN, "%" PRId64, item->revision);
        table_cell(t, PLAIN, "%" PRId64, item->instance->deploy->revision);
        table_cell(t, PLAIN, "%s", fate(item));
    }
    table_print(t, false);
    printf("\n%s/hostlet.conf.d/" CONFIG_NAME ":\n%s", import->ctl->tree.etc, import->settings);
}

static json_t *pack_plan(const struct import *import, bool done)
{
    const struct original *o = &import->original;
    json_t *items = json_array(), *hosts = json_array();
    for (size_t i = 0; i < o->server->n_zone_hosts; i++)
        json_array_append_new(hosts, json_string(o->server->zone_hosts[i]));
    for (size_t i = 0; i < import->n_items; i++) {
        const struct item *item = &import->items[i];
        json_array_append_new(
            items, json_pack("{s:s,s:s,s:I,s:I,s:s}", "container", item->container, "state",
                             item->found ? schema_enum_name(&driver_state_enum, item->found->state) : "none",
                             "revision", (json_int_t)item->revision, "wanted",
                             (json_int_t)item->instance->deploy->revision, "what_happens", fate(item)));
    }
    return json_pack("{s:b,s:s,s:o,s:I,s:o,s:s}", "done", done, "host_id", o->hostlet->host_id, "zone_hosts",
                     hosts, "quotas", (json_int_t)o->n_quotas, "containers", items, "settings",
                     import->settings);
}

/* --- execution --- */

/* Sleeps between two checks of another process's progress. */
static void wait_a_little(void)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    (void)nanosleep(&pause, NULL);
}

static int order(const struct import *import, const char *method, const char *service, struct error *e)
{
    const struct supervisor_name_in in = {(char *)service};
    return ctl_call(import->ctl, &ctl_supervisor, method, &in, NULL, CTL_TIMEOUT_USEC, e);
}

static bool has_project(const json_t *items, const struct original_quota *quota)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name && streq(name, quota->name) && json_integer_value(json_object_get(item, "id")) == quota->id)
            return true;
    }
    return false;
}

/* Counts the projects in hostlet's ledger (0: it does not exist), and those of the original that are not in
 * it. */
static int compare_projects(const struct original *o, const char *path, size_t *ret, size_t *ret_missing,
                            struct error *e)
{
    _cleanup_free_ char *text = NULL;
    json_error_t mistake;
    size_t size, missing = 0;
    int r = read_file_at(AT_FDCWD, path, LEDGER_MAX, &text, &size, e);
    if (r < 0 && r != -ENOENT)
        return r;
    json_t *ledger = r == -ENOENT ? NULL : json_loadb(text, size, 0, &mistake);
    const json_t *items = json_object_get(ledger, "items");
    for (size_t i = 0; i < o->n_quotas; i++)
        missing += !has_project(items, o->quotas[i]);
    *ret = json_array_size(items);
    *ret_missing = missing;
    json_decref(ledger);
    return 0;
}

/* Copies the original's ledger, with quota-keeper stopped, unless hostlet already has projects. In a tree
 * with the original's own prefix both use the same file. quota-keeper is started again when the configuration
 * names the original's app path. */
static int take_ledger(const struct import *import, struct error *e)
{
    const struct tree *tree = &import->ctl->tree;
    const struct original *o = &import->original;
    _cleanup_free_ char *state = tree_state(tree, "quota-keeper"),
                        *to = xasprintf("%s/" LEDGER, tree->prefix ? tree->etc : state),
                        *from = xasprintf("%s/etc/" LEDGER, o->dir), *text = NULL;
    size_t size, n, missing;
    if (streq(to, from) || o->n_quotas == 0)
        return 0;
    int r = compare_projects(o, to, &n, &missing, e);
    if (r < 0)
        return r;
    if (n > 0) {
        if (missing > 0)
            log_notice("hostlet already has projects in '%s', and %zu of the original's are not among them: "
                       "their replicas get new ones",
                       to, missing);
        return 0;
    }
    r = read_file_at(AT_FDCWD, from, LEDGER_MAX, &text, &size, e);
    if (r >= 0)
        r = order(import, "Stop", "quota-keeper", e);
    return r < 0 ? r : replace_file(to, text, size, 0600, e);
}

/* Starts quota-keeper if it is down, also if an earlier, interrupted import stopped it. */
static int start_quota_keeper(const struct import *import, struct error *e)
{
    struct service_list services = {.n_items = 0};
    bool down = false;
    int r = service_list_read(import->ctl, &services, e);
    for (size_t i = 0; r >= 0 && i < services.n_items; i++)
        down |= streq(services.items[i]->name, "quota-keeper") && services.items[i]->state == SERVICE_DOWN;
    service_list_done(&services);
    return r < 0 || !down ? r : order(import, "Start", "quota-keeper", e);
}

static int adopt(const struct import *import, const struct item *item, struct error *e)
{
    const char *secret = original_secret(&import->original, item->container);
    const struct driver_container *c = item->found;
    int r = 0;
    if (c && !c->tree && (!c->ours || c->adopted)) {
        struct driver_inspect_out out = {.container = NULL};
        const struct driver_adopt_in in = {.instance = item->instance->meta->name,
                                           .replica_id = item->replica_id,
                                           .revision = item->revision < 0 ? 0 : item->revision};
        r = ctl_call(import->ctl, &ctl_driver, "Adopt", &in, &out, CTL_TIMEOUT_USEC, e);
        if (r >= 0)
            ctl_done(&ctl_driver, "Adopt", &out);
        else if (e->class == ERROR_NOT_FOUND)
            r = 0; /* the container was removed meanwhile */
    }
    if (r >= 0 && secret) {
        const struct reconciler_secret_in in = {
            .name = item->instance->meta->name, .replica_id = item->replica_id, .secret = (char *)secret};
        r = ctl_call(import->ctl, &ctl_reconciler, "ImportSecret", &in, NULL, CTL_TIMEOUT_USEC, e);
    }
    return r;
}

static int join(const struct import *import, struct error *e)
{
    const struct original *o = &import->original;
    struct gateway_join_out out = {.host_id = NULL};
    const struct gateway_init_in in = {.host_id = o->hostlet->host_id,
                                       .access_key = o->hostlet->access_key,
                                       .hosts = o->server->zone_hosts,
                                       .n_hosts = o->server->n_zone_hosts,
                                       .vpc_bridge_ip = o->hostlet->vpc_bridge_ip,
                                       .vpc_instance_cidr = o->hostlet->vpc_instance_cidr,
                                       .network_domain = o->hostlet->vpc_network_domain};
    int r = call_gateway(import->ctl, "ZoneInit", &in, &out, e);
    if (r >= 0)
        ctl_done(&ctl_gateway, "ZoneInit", &out);
    return r;
}

/* Waits until rpc-gateway has sent the host id to the reconciler, which accepts no instance of a zone before
 * that. */
static int wait_for_facts(const struct import *import, struct error *e)
{
    uint64_t deadline = now_monotonic_usec() + READY_USEC;
    for (;;) {
        struct reconciler_info_out info = {.host_id = NULL};
        int r = ctl_call(import->ctl, &ctl_reconciler, "Info", NULL, &info, CTL_TIMEOUT_USEC, e);
        if (r < 0)
            return r;
        bool known = info.zone && streq(info.zone->host_id, import->original.hostlet->host_id);
        ctl_done(&ctl_reconciler, "Info", &info);
        if (known)
            return 0;
        if (now_monotonic_usec() > deadline)
            return error_retry(e, ETIMEDOUT,
                               "rpc-gateway has not sent the host id to the reconciler within 30 s");
        wait_a_little();
    }
}

static bool is_known(const struct instance_list *list, const char *name)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (streq(list->items[i]->name, name))
            return true;
    return false;
}

/* Sends the original's instances to the reconciler as orders of the zone, so that the machine works also if
 * no leader is reachable. Instances that the reconciler already has are skipped, since the zone's order is
 * newer. */
static int tell_instances(const struct import *import, struct error *e)
{
    const struct original *o = &import->original;
    struct instance_list known = {.n_items = 0};
    int r = instance_list_read(import->ctl, &known, e);
    for (size_t i = 0; r >= 0 && i < o->n_instances; i++) {
        struct app_instance *instance = o->instances[i];
        struct reconciler_zone_out out = {.changed = false};
        const struct reconciler_zone_in in = {.instance = instance};
        if (!instance->meta || !instance->meta->name || is_known(&known, instance->meta->name))
            continue;
        r = ctl_call(import->ctl, &ctl_reconciler, "PutZoneState", &in, &out, CTL_TIMEOUT_USEC, e);
        if (r >= 0)
            ctl_done(&ctl_reconciler, "PutZoneState", &out);
    }
    instance_list_done(&known);
    return r;
}

static int carry_out(const struct import *import, struct error *e)
{
    struct error later = ERROR_INIT;
    int r = take_ledger(import, e);
    if (r >= 0)
        r = write_config_part(import->ctl, CONFIG_NAME, import->settings, e);
    if (r >= 0)
        r = ctl_call(import->ctl, &ctl_supervisor, "Reload", NULL, NULL, CTL_TIMEOUT_USEC, e);
    int started = start_quota_keeper(import, r < 0 ? &later : e);
    r = r < 0 ? r : started;
    for (size_t i = 0; r >= 0 && i < import->n_items; i++)
        r = adopt(import, &import->items[i], e);
    if (r >= 0)
        r = join(import, e);
    if (r >= 0)
        warn_without_tls(import->ctl);
    if (r >= 0)
        r = wait_for_facts(import, e);
    return r < 0 ? r : tell_instances(import, e);
}

int command_import(struct ctl *ctl)
{
    struct import import = {.ctl = ctl};
    struct error e = ERROR_INIT;
    bool dry = ctl_option(ctl, "dry-run");
    int r = look(&import, &e);
    if (r >= 0 && !ctl->json)
        print_plan(&import);
    if (r >= 0 && !dry)
        r = carry_out(&import, &e);
    if (r >= 0 && ctl->json)
        print_json(pack_plan(&import, !dry));
    else if (r >= 0)
        puts(dry ? "\nNothing was changed."
                 : "\nTaken over. 'hostletctl apps' shows what runs, 'hostletctl zone status' the zone.");
    for (size_t i = 0; i < import.n_items; i++) {
        free(import.items[i].container);
        if (import.items[i].found)
            schema_free(&driver_container_schema, import.items[i].found);
    }
    free(import.items);
    free(import.settings);
    original_done(&import.original);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}
