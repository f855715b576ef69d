/* Implements lookup.h. */
#include "fetcher/lookup.h"

#include <errno.h>
#include <stdio.h>

#include "fetcher/zone.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

struct lookup {
    char *name, *os, *arch, *version;
    struct package_reference *exactly;
    struct repository *list, *at;
    struct repository_wait *wait;
    struct zone_search *search;
    lookup_found_fn on_found;
    void *userdata;
};

static void lookup_free(struct lookup *l)
{
    free(l->name);
    free(l->os);
    free(l->arch);
    free(l->version);
    schema_free(&package_reference_schema, l->exactly);
    free(l);
}

static void finish(struct lookup *l, const struct package_reference *package, const struct error *e)
{
    l->on_found(package, e, l->userdata);
    lookup_free(l);
}

/* Reports that no repository has the package, with the names of those that were searched. */
static void not_found(struct lookup *l)
{
    struct error e = ERROR_INIT;
    char where[512] = "";
    size_t n = 0;
    for (const struct repository *r = l->list; r && n < sizeof where - 1; r = r->next) {
        n += (size_t)snprintf(where + n, sizeof where - n, "%s%s", n ? ", " : "", r->name);
        if (r->skipped && n < sizeof where - 1)
            n +=
                (size_t)snprintf(where + n, sizeof where - n, " (%u files of it left out, the first: %.150s)",
                                 r->skipped, r->skipped_why);
    }
    if (l->exactly)
        error_set(&e, ERROR_NOT_FOUND, ENOENT, "package '%s' with these contents is not in %s",
                  l->exactly->id, where);
    else
        error_set(&e, ERROR_NOT_FOUND, ENOENT, "no package '%s'%s%s for %s/%s in %s", l->name,
                  *l->version ? " with version " : "", l->version, l->os, l->arch, where);
    finish(l, NULL, &e);
}

static void make_reference(const struct repository *r, const struct package_index_item *item, char *checksum,
                           struct package_reference *ret)
{
    const struct package *p = item->package;
    *ret = (struct package_reference){.id = p->id,
                                      .name = p->name,
                                      .version = p->version,
                                      .os = p->os,
                                      .arch = p->arch,
                                      .sha256 = item->sha256[0] ? (char *)item->sha256 : NULL,
                                      .checksum = checksum,
                                      .size = (int64_t)item->size,
                                      .repository = r->name,
                                      .file = item->file};
}

/* Calls on_found() with the match in this index. Returns false if there is none. */
static bool found_in(struct lookup *l, const struct package_index *index)
{
    ssize_t at = l->exactly ? -1 : package_index_find(index, l->name, l->version, l->os, l->arch);
    for (size_t i = 0; l->exactly && at < 0 && i < index->n_items; i++)
        if (streq(index->items[i].package->id, l->exactly->id) &&
            streq(index->items[i].package->name, l->name))
            at = (ssize_t)i;
    if (at < 0)
        return false;
    struct package_reference found;
    _cleanup_free_ char *checksum = xasprintf("sha256:%s", index->items[at].package->sha256);
    make_reference(l->at, &index->items[at], checksum, &found);
    if (l->exactly && reference_same(l->exactly, &found, "in the repository", NULL) < 0)
        return false;
    finish(l, &found, NULL);
    return true;
}

static void ask(struct lookup *l);

static void ask_next(struct lookup *l)
{
    l->at = l->at->next;
    if (l->at)
        ask(l);
    else
        not_found(l);
}

static void on_loaded(const struct package_index *index, const struct error *e, void *userdata)
{
    struct lookup *l = userdata;
    l->wait = NULL;
    if (!index)
        finish(l, NULL, e);
    else if (!found_in(l, index))
        ask_next(l);
}

static void on_zone_found(const struct package_reference *package, const struct error *e, void *userdata)
{
    struct lookup *l = userdata;
    l->search = NULL;
    if (package || e)
        finish(l, package, e);
    else
        ask_next(l);
}

static void ask(struct lookup *l)
{
    if (l->at->kind != REPOSITORY_ZONE) {
        l->wait = repository_load(l->at, on_loaded, l);
        return;
    }
    const struct lookup_for what = {
        .name = l->name, .os = l->os, .arch = l->arch, .version = l->version, .exactly = l->exactly};
    l->search = zone_search_start(l->at->fetcher, &what, on_zone_found, l);
}

struct lookup *lookup_start(struct repository *list, const struct lookup_for *what, lookup_found_fn on_found,
                            void *userdata)
{
    struct lookup *l = xcalloc(1, sizeof *l);
    *l = (struct lookup){.name = xstrdup(what->name),
                         .os = xstrdup(what->os),
                         .arch = xstrdup(what->arch),
                         .version = xstrdup(what->version ?: ""),
                         .list = list,
                         .at = list,
                         .on_found = on_found,
                         .userdata = userdata};
    if (what->exactly) {
        l->exactly = xcalloc(1, sizeof *l->exactly);
        schema_copy(&package_reference_schema, what->exactly, l->exactly);
    }
    ask(l);
    return l;
}

void lookup_cancel(struct lookup *l)
{
    if (!l)
        return;
    repository_wait_cancel(l->wait);
    zone_search_cancel(l->search);
    lookup_free(l);
}
