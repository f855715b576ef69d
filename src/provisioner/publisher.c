/* Implements publisher.h. */
#include "provisioner/publisher.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/package/id.h"
#include "provisioner/packages.h"

/* --- deletions, in the background threads --- */

struct deletion {
    struct work work;
    char *store;
    unsigned deleted;
    int result;
    struct error e;
};

static void deletion_work(struct work *work)
{
    struct deletion *d = (struct deletion *)work;
    d->result = packages_delete(d->store, &d->deleted, &d->e);
}

static void deletion_done(struct work *work)
{
    struct deletion *d = (struct deletion *)work;
    if (d->result < 0)
        log_warning("a removed package is not completely deleted: %s; the next removal or start retries it",
                    d->e.message);
    else
        log_debug("deleted what was left of %u packages", d->deleted);
    free(d->store);
    free(d);
}

static void delete_hidden(struct manager *m)
{
    struct deletion *d = xcalloc(1, sizeof *d);
    *d = (struct deletion){.work = {.key = ".packages", .run = deletion_work, .done = deletion_done},
                           .store = xstrdup(m->packages)};
    workers_add(m->deletions, &d->work);
}

/* --- requests --- */

struct publication {
    struct work work;
    struct manager *manager;
    struct varlink_call *call; /* NULL: a publication without a request, or the caller hung up */
    char *store, *name, *id, *key;
    bool remove;
    uint64_t entries_max;
    bool hidden;
    int result;
    struct error e;
};

static void publication_work(struct work *work)
{
    struct publication *p = (struct publication *)work;
    p->result = p->remove ? packages_unpublish(p->store, p->name, p->id, &p->hidden, &p->e)
                          : packages_publish(p->store, p->name, p->id, p->entries_max, &p->hidden, &p->e);
}

static void answer(struct publication *p)
{
    struct varlink_call *call = TAKE_PTR(p->call);
    varlink_call_on_gone(call, NULL, NULL);
    _cleanup_free_ char *path = xasprintf("%s/%s/%s", p->store, p->name, p->id);
    if (p->result < 0)
        varlink_error(call, &p->e);
    else if (p->remove)
        varlink_reply(call, NULL);
    else
        varlink_reply(call, &(struct provisioner_publish_out){.path = path});
}

static void publication_done(struct work *work)
{
    struct publication *p = (struct publication *)work;
    /* A package that was found at the start can have been removed since then (−ENOENT): this is not
     * logged. */
    if (p->result < 0 && (p->call || p->result != -ENOENT))
        log_warning("%s: %s", p->remove ? "Unpublish" : "Publish", p->e.message);
    if (p->hidden)
        delete_hidden(p->manager);
    if (p->call)
        answer(p);
    free(p->store);
    free(p->name);
    free(p->id);
    free(p->key);
    free(p);
}

/* Keeps the job running without its caller: the next request finds the package published or repeats the
 * job. */
static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct publication *p = userdata;
    p->call = NULL;
}

static void add(struct manager *m, struct varlink_call *call, const char *name, const char *id, bool remove)
{
    struct publication *p = xcalloc(1, sizeof *p);
    *p = (struct publication){.work = {.run = publication_work, .done = publication_done},
                              .manager = m,
                              .call = call,
                              .store = xstrdup(m->packages),
                              .name = xstrdup(name),
                              .id = xstrdup(id),
                              .key = package_key(name, id),
                              .remove = remove,
                              .entries_max = m->package_entries_max};
    p->work.key = p->key;
    if (call)
        varlink_call_on_gone(call, on_gone, p);
    workers_add(m->jobs, &p->work);
}

static int request(struct varlink_call *call, const struct package_name_in *in, struct manager *m,
                   bool remove, struct error *e)
{
    int r = package_id_check(in->name, in->id, e);
    if (r >= 0)
        add(m, call, in->name, in->id, remove);
    return r;
}

int publisher_publish(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return request(call, in, userdata, false, e);
}

int publisher_unpublish(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return request(call, in, userdata, true, e);
}

/* --- publications that an earlier process did not complete --- */

struct look {
    struct work work;
    struct manager *manager;
    char *store;
    struct packages_left left;
    bool hidden;
    int result;
    struct error e;
};

static void look_work(struct work *work)
{
    struct look *l = (struct look *)work;
    l->result = packages_find_left(l->store, &l->left, &l->hidden, &l->e);
}

static void look_done(struct work *work)
{
    struct look *l = (struct look *)work;
    if (l->result < 0)
        log_warning("cannot look for unfinished publications of packages: %s; the next start looks again",
                    l->e.message);
    for (size_t i = 0; i < l->left.n; i++) {
        log_info("package '%s': its install directory does not belong to root or is not complete; it is "
                 "published again",
                 l->left.items[i].id);
        add(l->manager, NULL, l->left.items[i].name, l->left.items[i].id, false);
    }
    if (l->hidden)
        delete_hidden(l->manager);
    packages_left_clear(&l->left);
    free(l->store);
    free(l);
}

void publisher_start(struct manager *m)
{
    struct look *l = xcalloc(1, sizeof *l);
    *l = (struct look){
        .work = {.run = look_work, .done = look_done}, .manager = m, .store = xstrdup(m->packages)};
    workers_add(m->jobs, &l->work);
}
