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

#include "ctl/adopt.h"
#include "ctl/apps.h"
#include "ctl/call.h"
#include "ctl/enable.h"
#include "ctl/import_settings.h"
#include "ctl/inventory_print.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "ctl/services.h"
#include "lib/api/container_driver.h"
#include "lib/api/reconciler.h"
#include "lib/api/rpc_gateway.h"
#include "lib/app/name.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "lib/varlink/unix.h"

#define LEDGER     "hostlet_vol_quota.json"
#define LEDGER_MAX ((size_t)64 << 20)
#define READY_USEC (30 * USEC_PER_SEC)
#define PAUSE_NS   (50 * 1000 * 1000)

struct import {
    struct ctl *ctl;
    struct original original;
    struct inventory inventory;
    char *settings; /* text of IMPORT_CONFIG_NAME */
};

/* --- inspection --- */

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

static int look(struct import *import, struct error *e)
{
    const struct ctl *ctl = import->ctl;
    int r = original_read(ctl->arguments[0], &import->original, e);
    if (r >= 0)
        r = original_check_stopped(&import->original, find_supervisor(ctl), e);
    if (r < 0)
        return r;
    import->settings = import_settings_make(&import->original);
    r = import_settings_check(ctl, &import->original, import->settings, e);
    return r < 0 ? r : inventory_read(ctl, &import->original, &import->inventory, e);
}

/* Refuses an import that would leave every container with a name of the original's form unmanaged: the zone's
 * orders would meet them as conflicts. */
static int check_any(const struct import *import, struct error *e)
{
    const struct inventory *inventory = &import->inventory;
    const struct inventory_item *first = NULL;
    size_t usable = inventory_count(inventory, FATE_ADOPT) + inventory_count(inventory, FATE_ADOPTED) +
                    inventory_count(inventory, FATE_OURS),
           n = 0;
    for (size_t i = 0; i < inventory->n_items; i++)
        if (inventory->items[i]->found && inventory->items[i]->instance) {
            n++;
            first = first ?: inventory->items[i];
        }
    if (usable > 0 || n == 0)
        return 0;
    return error_refuse(
        e, EEXIST,
        "nothing is taken over: this machine has %zu container%s named i8k_NAME_N, and none can be adopted "
        "(%s: %s); remove or rename %s, or join the zone without them (hostletctl zone init)",
        n, n == 1 ? "" : "s", first->container, first->n_remarks > 0 ? first->remarks[0] : "it does not fit",
        n == 1 ? "it" : "them");
}

/* --- output --- */

static void print_plan(const struct import *import)
{
    const struct original *o = &import->original;
    printf("host %s, zone hosts:", o->hostlet->host_id);
    for (size_t i = 0; i < o->server->n_zone_hosts; i++)
        printf(" %s", o->server->zone_hosts[i]);
    printf("\n%zu quota%s, %zu secret%s of containers\n\n", o->n_quotas, o->n_quotas == 1 ? "" : "s",
           o->n_secrets, o->n_secrets == 1 ? "" : "s");
    inventory_print(&import->inventory);
    printf("\n%s/hostlet.conf.d/" IMPORT_CONFIG_NAME ":\n%s", import->ctl->tree.etc, import->settings);
}

static json_t *pack_plan(const struct import *import, bool done)
{
    const struct original *o = &import->original;
    json_t *hosts = json_array();
    for (size_t i = 0; i < o->server->n_zone_hosts; i++)
        json_array_append_new(hosts, json_string(o->server->zone_hosts[i]));
    return json_pack("{s:b,s:s,s:o,s:I,s:o,s:s}", "done", done, "host_id", o->hostlet->host_id, "zone_hosts",
                     hosts, "quotas", (json_int_t)o->n_quotas, "containers",
                     inventory_pack(&import->inventory), "settings", import->settings);
}

/* Prints what an import has done. The reconciler shows an adopted container when it knows its instance, which
 * hostlet_active.json or the zone states. */
static void print_result(const struct import *import)
{
    const struct inventory *inventory = &import->inventory;
    size_t adopted = inventory_count(inventory, FATE_ADOPT) + inventory_count(inventory, FATE_ADOPTED),
           others =
               inventory_count(inventory, FATE_NOT_ADOPTED) + inventory_count(inventory, FATE_OTHER_TREE);
    printf("\nTaken over. %zu container%s of the original agent %s adopted", adopted, adopted == 1 ? "" : "s",
           adopted == 1 ? "is" : "are");
    if (others > 0)
        printf(", %zu %s not (see above)", others, others == 1 ? "is" : "are");
    puts(".\n'hostletctl apps' shows what runs as soon as the zone's leader has sent its orders, 'hostletctl "
         "zone "
         "status' the zone.");
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

static int use_settings(const struct import *import, struct error *e)
{
    return use_config_part(import->ctl, IMPORT_CONFIG_NAME, import->settings, e);
}

/* Sends the secrets before any container is adopted: when a container is adopted for which an order has
 * arrived, the reconciler makes a secret for its replica unless it has one. */
static int send_secrets(const struct import *import, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < import->inventory.n_items; i++)
        r = adopt_secret(import->ctl, import->inventory.items[i], e);
    return r;
}

static int adopt(const struct import *import, struct error *e)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < import->inventory.n_items; i++) {
        const struct inventory_item *item = import->inventory.items[i];
        if (!item->instance || (item->fate != FATE_ADOPT && item->fate != FATE_ADOPTED))
            continue;
        r = adopt_container(import->ctl, item, e);
        if (r < 0 && e->class == ERROR_NOT_FOUND)
            r = 0; /* the container was removed meanwhile */
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
        if (!instance->meta || !instance->meta->name || is_known(&known, instance->meta->name) ||
            app_check_instance_name(instance->meta->name, "", NULL) < 0)
            continue;
        r = ctl_call(import->ctl, &ctl_reconciler, "PutZoneState", &in, &out, CTL_TIMEOUT_USEC, e);
        if (r >= 0)
            ctl_done(&ctl_reconciler, "PutZoneState", &out);
    }
    instance_list_done(&known);
    return r;
}

/* The steps of an import, in their order. Each can be repeated, and a test can end the command after each. */
static const struct {
    int (*run)(const struct import *import, struct error *e);
    const char *failpoint;
} steps[] = {{take_ledger, "import.ledger"},
             {use_settings, "import.settings"},
             {start_quota_keeper, "import.quota_keeper"},
             {send_secrets, "import.secrets"},
             {adopt, "import.adopted"},
             {join, "import.joined"},
             {wait_for_facts, "import.facts"},
             {tell_instances, "import.instances"}};

static int carry_out(const struct import *import, struct error *e)
{
    static const char *names[ARRAY_SIZE(steps) + 1];
    struct error ignored = ERROR_INIT;
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        names[i] = steps[i].failpoint;
    failpoint_table(names);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(steps); i++) {
        r = steps[i].run(import, e);
        if (r >= 0)
            r = failpoint_error(steps[i].failpoint, e);
    }
    if (r >= 0)
        warn_without_tls(import->ctl);
    else
        (void)start_quota_keeper(import, &ignored); /* take_ledger() may have stopped it */
    return r;
}

int command_import(struct ctl *ctl)
{
    struct import import = {.ctl = ctl};
    struct error e = ERROR_INIT;
    bool dry = ctl_option(ctl, "dry-run"), shown = false;
    int r = look(&import, &e);
    if (r >= 0 && !ctl->json) {
        print_plan(&import);
        shown = true;
    }
    if (r >= 0) {
        r = check_any(&import, &e);
        if (r < 0 && ctl->json)
            print_json(pack_plan(&import, false));
        else if (r >= 0 && !dry)
            r = carry_out(&import, &e);
    }
    if (r >= 0 && ctl->json)
        print_json(pack_plan(&import, !dry));
    else if (r >= 0 && dry)
        puts("\nNothing was changed.");
    else if (r >= 0)
        print_result(&import);
    else if (shown)
        fflush(stdout); /* the table, before the error */
    inventory_done(&import.inventory);
    free(import.settings);
    original_done(&import.original);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}
