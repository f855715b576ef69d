/* Implements adopt.h. The command reads what the inventory of an import reads, for one container. */
#include "ctl/adopt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/apps.h"
#include "ctl/call.h"
#include "ctl/enable.h"
#include "ctl/inventory_print.h"
#include "ctl/options.h"
#include "lib/app/name.h"

int adopt_secret(const struct ctl *ctl, const struct inventory_item *item, struct error *e)
{
    const struct reconciler_secret_in in = {
        .name = item->instance, .replica_id = item->replica_id, .secret = (char *)item->secret};
    if (!item->instance || !item->secret)
        return 0;
    return ctl_call(ctl, &ctl_reconciler, "ImportSecret", &in, NULL, CTL_TIMEOUT_USEC, e);
}

int adopt_container(const struct ctl *ctl, const struct inventory_item *item, struct error *e)
{
    struct driver_inspect_out out = {.container = NULL};
    const struct driver_adopt_in in = {.instance = item->instance,
                                       .replica_id = item->replica_id,
                                       .revision = item->revision < 0 ? 0 : item->revision,
                                       .unsure = item->unsure && item->revision > 0};
    int r = ctl_call(ctl, &ctl_driver, "Adopt", &in, &out, CTL_TIMEOUT_USEC, e);
    if (r >= 0)
        ctl_done(&ctl_driver, "Adopt", &out);
    return r;
}

/* The command's inventory, and what it was made from. */
struct adoption {
    struct original original;        /* of --from; else only the app path */
    struct original_hostlet nothing; /* stands for its settings then */
    struct inventory inventory;
    struct inventory_item *item;
};

/* Reads the original's state where --from names it. The app path is this tree's, since a container's data is
 * used only there. */
static int read_original(const struct ctl *ctl, struct adoption *a, struct error *e)
{
    const char *from = ctl_option(ctl, "from");
    char *apps = NULL;
    int r = from ? original_read(from, &a->original, e) : 0;
    if (r >= 0)
        r = configured_app_path(ctl, &apps, e);
    if (r < 0)
        return r;
    free(a->original.app_path);
    a->original.app_path = apps;
    if (!from)
        a->original.hostlet = &a->nothing;
    return 0;
}

static void adoption_done(struct adoption *a)
{
    if (a->original.hostlet == &a->nothing)
        a->original.hostlet = NULL;
    inventory_done(&a->inventory);
    original_done(&a->original);
}

/* Reports whether this machine has an instance of that name which is not the zone's. */
static int is_local(const struct ctl *ctl, const char *name, bool *ret, struct error *e)
{
    struct instance_list list = {.n_items = 0};
    int r = instance_list_read(ctl, &list, e);
    for (size_t i = 0; r >= 0 && i < list.n_items; i++)
        *ret |= streq(list.items[i]->name, name) && (streq_null(list.items[i]->origin, "local") ||
                                                     streq_null(list.items[i]->origin, "directory"));
    instance_list_done(&list);
    return r;
}

/* Determines the revision. The numbers of a local instance's revisions are not the original's: an equal one
 * would pass the original's container off as what the manifest describes. */
static int set_revision(const struct ctl *ctl, struct inventory_item *item, struct error *e)
{
    bool local = false, given = ctl_option(ctl, "revision");
    int64_t wanted = ctl_option_number(ctl, "revision", 0, INT64_MAX, -1);
    int r = is_local(ctl, item->instance, &local, e);
    if (r < 0)
        return r;
    if (local && given && wanted != 0)
        return error_refuse(
            e, EINVAL,
            "instance '%s' is this machine's own: its manifest replaces the container, which can "
            "only be adopted with --revision 0",
            item->instance);
    if (given || local) {
        item->revision = given ? wanted : 0;
        item->unsure = false;
    }
    if (item->revision < 0)
        return error_refuse(
            e, ENODATA,
            "the revision of '%s' is not known: --from DIR reads it from the original agent's "
            "state, --revision N states it (0: the next order replaces the container)",
            item->container);
    return 0;
}

static int refuse(const struct inventory_item *item, struct error *e)
{
    if (item->fate == FATE_OURS)
        return error_refuse(e, EEXIST, "container '%s' was made by this tree: there is nothing to adopt",
                            item->container);
    if (item->fate == FATE_ADOPT || item->fate == FATE_ADOPTED)
        return 0;
    return error_refuse(e, EINVAL, "container '%s': %s", item->container,
                        item->n_remarks > 0 ? item->remarks[0] : "it cannot be adopted");
}

static int look(const struct ctl *ctl, struct adoption *a, struct error *e)
{
    int r = original_check_process(e);
    if (r >= 0)
        r = read_original(ctl, a, e);
    if (r >= 0)
        r = inventory_read_one(ctl, &a->original, ctl->arguments[0], &a->inventory, e);
    if (r < 0)
        return r;
    a->item = a->inventory.items[0];
    r = refuse(a->item, e);
    return r < 0 ? r : set_revision(ctl, a->item, e);
}

static void print_adopted(const struct ctl *ctl, const struct adoption *a, bool dry)
{
    const struct inventory_item *item = a->item;
    if (ctl->json) {
        json_t *rows = inventory_pack(&a->inventory), *row = json_incref(json_array_get(rows, 0));
        json_object_set_new(row, "done", json_boolean(!dry));
        json_decref(rows);
        print_json(row);
        return;
    }
    inventory_print(&a->inventory);
    if (dry)
        puts("\nNothing was changed.");
    else if (item->fate == FATE_ADOPTED)
        printf("\n%s is already adopted, with revision %" PRId64 ".\n", item->container, item->revision);
    else
        printf("\n%s is adopted%s, with revision %" PRId64 ".\n", item->container,
               driver_state_is_up((enum driver_state)item->found->state) ? " as it runs" : "",
               item->revision);
}

int command_adopt(struct ctl *ctl)
{
    struct adoption a = {.item = NULL};
    struct error e = ERROR_INIT;
    bool dry = ctl_option(ctl, "dry-run");
    _cleanup_free_ char *instance = NULL;
    int64_t replica_id;
    if (app_container_name_parse(ctl->arguments[0], &instance, &replica_id) < 0) {
        log_error("adopt: '%s' is no name of a container, i8k_NAME_N", ctl->arguments[0]);
        return EXIT_USAGE;
    }
    int r = look(ctl, &a, &e);
    if (r >= 0 && !dry)
        r = adopt_secret(ctl, a.item, &e);
    if (r >= 0 && !dry)
        r = adopt_container(ctl, a.item, &e);
    if (r >= 0)
        print_adopted(ctl, &a, dry);
    adoption_done(&a);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}
