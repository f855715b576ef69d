/* Implements inventory.h. */
#include "ctl/inventory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/call.h"
#include "lib/app/name.h"
#include "lib/schema/object.h"

struct reader {
    const struct original *original;
    struct inventory *inventory;
};

/* --- sources --- */

/* Returns the item of a container's name, which is added if it is missing. */
static struct inventory_item *find(struct inventory *inventory, const char *container)
{
    for (size_t i = 0; i < inventory->n_items; i++)
        if (streq(inventory->items[i]->container, container))
            return inventory->items[i];
    struct inventory_item *item = schema_append(&inventory->items, &inventory->n_items, sizeof *item);
    item->container = xstrdup(container);
    item->revision = item->replica.revision = -1;
    (void)app_container_name_parse(container, &item->instance, &item->replica_id);
    return item;
}

static void remark(struct inventory_item *item, const char *fmt, ...) _printf_(2, 3);
static void remark(struct inventory_item *item, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    schema_append_string(&item->remarks, &item->n_remarks, text);
    free(text);
}

/* Adds this machine's replicas in app_instances. */
static void add_instances(const struct reader *r)
{
    const struct original *o = r->original;
    for (size_t i = 0; i < o->n_instances; i++) {
        const struct app_instance *a = o->instances[i];
        for (size_t k = 0; a->meta && a->meta->name && a->deploy && k < a->deploy->n_replicas; k++) {
            const struct app_replica *replica = a->deploy->replicas[k];
            if (!streq_null(replica->host_id, o->hostlet->host_id))
                continue;
            _cleanup_free_ char *container = app_container_name(a->meta->name, replica->id);
            struct inventory_item *item = find(r->inventory, container);
            item->wanted = a;
            item->sources |= SOURCE_ACTIVE;
        }
    }
}

static void add_active(const struct reader *r)
{
    const struct original *o = r->original;
    const char *container;
    json_t *revision;
    add_instances(r);
    json_object_foreach(o->applied_revisions, container, revision)
    {
        find(r->inventory, container)->sources |= SOURCE_ACTIVE;
    }
    for (size_t i = 0; i < o->n_secrets; i++)
        find(r->inventory, o->secrets[i].key)->sources |= SOURCE_ACTIVE;
}

static int add_directories(const struct reader *r, struct error *e)
{
    char **names = NULL;
    size_t n = 0;
    int x = original_replicas_list(r->original->app_path, &names, &n, e);
    for (size_t i = 0; i < n; i++) {
        find(r->inventory, names[i])->sources |= SOURCE_DIRECTORY;
        free(names[i]);
    }
    free(names);
    return x;
}

static void add_container(const void *answer, void *userdata)
{
    const struct reader *r = userdata;
    const struct driver_container *c = ((const struct driver_inspect_out *)answer)->container;
    if (!c)
        return;
    struct inventory_item *item = find(r->inventory, c->name);
    item->sources |= SOURCE_DOCKER;
    if (item->found)
        return;
    item->found = xcalloc(1, sizeof *item->found);
    schema_copy(&driver_container_schema, c, item->found);
}

/* --- judgement --- */

/* Reports whether two paths lead to one directory. A path that does not exist leads nowhere else. */
static bool same_directory(const char *a, const char *b)
{
    _cleanup_free_ char *x = realpath(a, NULL), *y = realpath(b, NULL);
    return streq(x ?: a, y ?: b);
}

/* Returns why a container, which container-driver has described, cannot be adopted by a tree with this app
 * path; NULL: it can. The caller frees it. */
static char *find_misfit(const struct driver_container *c, const char *app_path)
{
    _cleanup_free_ char *home = xasprintf("%s/%s/home", app_path, c->name);
    if (!c->adoptable)
        return xstrdup(c->misfit ?: "it is not one of the original agent");
    if (c->home && !same_directory(c->home, home))
        return xasprintf("its data is in '%s', and not below the app path '%s'", c->home, app_path);
    if (c->home && access(home, F_OK) < 0)
        return xasprintf(
            "the directory '%s' of its data does not exist: is the file system of the app path mounted?",
            c->home);
    return NULL;
}

static enum inventory_fate find_fate(struct inventory_item *item, const char *app_path)
{
    const struct driver_container *c = item->found;
    if (!c)
        return item->instance ? FATE_MISSING : FATE_NO_NAME;
    if (c->ours)
        return c->adopted ? FATE_ADOPTED : FATE_OURS;
    _cleanup_free_ char *misfit = find_misfit(c, app_path);
    if (!misfit)
        return FATE_ADOPT;
    remark(item, "it is not adopted: %s", misfit);
    return c->tree ? FATE_OTHER_TREE : FATE_NOT_ADOPTED;
}

/* Says what only one of the sources knows. */
static void remark_sources(struct inventory_item *item, const struct original *o)
{
    if (item->sources == SOURCE_ACTIVE)
        remark(item, "only hostlet_active.json knows it: there is neither a container nor a directory");
    else if (item->sources == SOURCE_DIRECTORY)
        remark(item, "only its directory exists: its data is kept for a replica of this name");
    else if (item->sources == SOURCE_DOCKER && item->fate == FATE_ADOPT && o->dir)
        remark(item,
               "only Docker knows it: there is neither a directory nor an entry in hostlet_active.json");
    else if (item->fate == FATE_ADOPT && !(item->sources & SOURCE_DIRECTORY))
        remark(item, "it has no directory in the app path");
    else if (item->fate == FATE_ADOPT && !(item->sources & SOURCE_ACTIVE) && o->dir)
        remark(item, "hostlet_active.json does not know it");
}

static void take_revision(struct inventory_item *item, const struct original *o)
{
    int64_t theirs = item->replica.revision;
    item->revision = original_revision(o, item->container);
    if (item->revision >= 0) {
        if (theirs >= 0 && theirs != item->revision)
            remark(item,
                   "its app_replica.json has revision %" PRId64 "; that of hostlet_active.json, %" PRId64
                   ", is used",
                   theirs, item->revision);
        return;
    }
    if (item->fate == FATE_ADOPTED) { /* the ledger's */
        item->revision = item->found->revision;
        item->unsure = item->found->unsure;
        return;
    }
    /* The tenant can change its file without an advantage: a wrong revision recreates its own container,
     * since one above the zone's is not believed. */
    item->revision = theirs;
    item->unsure = true;
    if (item->fate == FATE_ADOPT && theirs >= 0)
        remark(item, "its revision, %" PRId64 ", is known only from its app_replica.json", theirs);
}

static void take_secret(struct inventory_item *item, const struct original *o)
{
    const char *secret = original_secret(o, item->container), *theirs = item->replica.secret;
    if (secret && !original_secret_valid(secret)) {
        remark(item, "its secret in hostlet_active.json is not 34 hex digits, and is not used");
    } else if (secret) {
        item->secret = secret;
        if (theirs && !streq(theirs, secret))
            remark(item, "its app_replica.json has another secret; that of hostlet_active.json is used");
        return;
    }
    /* The secret identifies only this replica's own agent, which knows it from this file. */
    item->secret = theirs;
    if (item->fate == FATE_ADOPT && theirs)
        remark(item, "its secret is known only from its app_replica.json");
    else if (item->fate == FATE_ADOPT)
        remark(item, "its secret is not known: hostlet makes another one");
}

static void judge(struct inventory_item *item, const struct original *o)
{
    const struct original_replica *replica = &item->replica;
    if (item->instance && (item->sources & SOURCE_DIRECTORY))
        original_replica_read(o->app_path, item->container, &item->replica);
    item->fate = find_fate(item, o->app_path);
    if (item->fate == FATE_NO_NAME) {
        remark(item, "it is not used: its name does not have the form i8k_NAME_N");
        return;
    }
    if (!item->instance)
        return;
    remark_sources(item, o);
    if (replica->problem && item->found)
        remark(item, "its app_replica.json is not used: %s", replica->problem);
    if (o->dir && replica->host_id && !streq(replica->host_id, o->hostlet->host_id))
        remark(item, "its app_replica.json is of host %.40s", replica->host_id);
    take_revision(item, o);
    take_secret(item, o);
}

static int compare(const void *a, const void *b)
{
    const struct inventory_item *const *x = a, *const *y = b;
    return strcmp((*x)->container, (*y)->container);
}

int inventory_read(const struct ctl *ctl, const struct original *original, struct inventory *ret,
                   struct error *e)
{
    struct reader reader = {original, ret};
    add_active(&reader);
    int r = add_directories(&reader, e);
    if (r >= 0)
        r = ctl_stream(ctl, &ctl_driver, "List", NULL, add_container, &reader, e);
    if (r >= 0)
        r = ctl_stream(ctl, &ctl_driver, "ListMisnamed", NULL, add_container, &reader, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ret->n_items; i++)
        judge(ret->items[i], original);
    if (ret->n_items > 0)
        qsort(ret->items, ret->n_items, sizeof *ret->items, compare);
    return 0;
}

int inventory_read_one(const struct ctl *ctl, const struct original *original, const char *container,
                       struct inventory *ret, struct error *e)
{
    struct reader reader = {original, ret};
    struct driver_inspect_out out = {.container = NULL};
    struct inventory_item *item = find(ret, container);
    _cleanup_free_ char *directory = xasprintf("%s/%s", original->app_path, container);
    const struct driver_replica_in in = {.instance = item->instance, .replica_id = item->replica_id};
    int r = ctl_call(ctl, &ctl_driver, "Inspect", &in, &out, CTL_TIMEOUT_USEC, e);
    if (r < 0)
        return r;
    add_container(&out, &reader);
    ctl_done(&ctl_driver, "Inspect", &out);
    if (!item->found)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no container '%s'", container);
    if (original_revision(original, container) >= 0 || original_secret(original, container))
        item->sources |= SOURCE_ACTIVE;
    if (access(directory, F_OK) == 0)
        item->sources |= SOURCE_DIRECTORY;
    judge(item, original);
    return 0;
}

size_t inventory_count(const struct inventory *inventory, enum inventory_fate fate)
{
    size_t n = 0;
    for (size_t i = 0; i < inventory->n_items; i++)
        n += inventory->items[i]->fate == fate;
    return n;
}

void inventory_done(struct inventory *inventory)
{
    for (size_t i = 0; i < inventory->n_items; i++) {
        struct inventory_item *item = inventory->items[i];
        for (size_t k = 0; k < item->n_remarks; k++)
            free(item->remarks[k]);
        free(item->remarks);
        if (item->found)
            schema_free(&driver_container_schema, item->found);
        original_replica_done(&item->replica);
        free(item->instance);
        free(item->container);
        free(item);
    }
    free(inventory->items);
    *inventory = (struct inventory){.n_items = 0};
}
