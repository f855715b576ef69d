/* Implements recheck.h. */
#include "quota-keeper/recheck.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "quota-keeper/tag.h"

struct recheck {
    struct registry *r;
    const char *name;
    struct ledger_item item; /* name NULL: the container has none */
    struct places places;
    struct strays *strays;
    struct findings *findings;
    struct quota_values *values;
};

int recheck_project(const struct registry *r, const struct place *place, const struct app_path_entry *entry,
                    const struct ledger_item *item, uint32_t *ret)
{
    struct kernel_tag tag;
    if (!place->filesystem->state.accounted || r->kernel->read_tag(r->kernel, place->fd, &tag) < 0)
        return -EOPNOTSUPP;
    *ret = item && entry->container && !entry->removed ? (uint32_t)item->id : tag.project;
    return 0;
}

static void say(struct recheck *c, const struct app_path_entry *entry)
{
    findings_add_strays(c->findings, c->r, entry->name, entry->container, c->strays, true);
    strays_clear(c->strays);
}

static int put_back(struct recheck *c, const struct app_path_entry *entry, struct error *e)
{
    struct place place = PLACE_INIT;
    struct tag_result tagged = {.skipped = 0};
    uint32_t project;
    const struct ledger_item *item = c->item.name ? &c->item : NULL;
    int result = place_open(&c->places, entry->name, &place, e);
    if (result == -ENOENT) /* the directory was removed meanwhile */
        return 0;
    if (result >= 0 && recheck_project(c->r, &place, entry, item, &project) >= 0) {
        const struct kernel_limits limits = {c->item.soft, c->item.hard, c->item.inodes_soft, c->item.inodes};
        bool ours = item && project == item->id;
        const struct tag_options how = {.strays = c->strays, .limits = ours ? &limits : NULL};
        result = tag_tree(c->r->kernel, place.fd, project, &how, &tagged, e);
        if (result >= 0) {
            c->values->project = project;
            c->values->skipped += tagged.skipped;
        }
        say(c, entry); /* also for what was reached before a failure */
        if (result == -ECANCELED)
            result = 0;
    }
    place_clear(&place);
    return result < 0 ? error_prefix(e, "%s", entry->name) : 0;
}

/* Rechecks the directory of a replica with a project: its limits are checked, too, and everything is read
 * back. */
static int enforce_whole(struct recheck *c, const struct app_path_entry *entry, struct error *e)
{
    const struct enforce_options options = {.recheck = true, .strays = c->strays};
    int64_t skipped = c->values->skipped;
    struct quota_values values;
    int result = enforce_item(c->r, &c->item, &options, &values, e);
    say(c, entry);
    if (result < 0)
        return result;
    schema_done(&quota_values_schema, c->values);
    *c->values = values;
    c->values->skipped += skipped;
    return 0;
}

static bool is_its(const struct recheck *c, const struct app_path_entry *entry)
{
    return streq_null(entry->container, c->name) || streq(entry->name, c->name);
}

/* Rechecks all directories, also after a failure of one; the first failure is the result. */
static int look_at_all(struct recheck *c, bool *ret_found, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    struct error why = ERROR_INIT;
    int first = 0, result = app_path_list(c->places.apps_fd, &entries, &n, e);
    for (size_t i = 0; i < n && result >= 0 && !c->strays->enough; i++) {
        if (!is_its(c, &entries[i]))
            continue;
        *ret_found = true;
        bool whole = c->item.name && streq(entries[i].name, c->name) && !c->strays->kernel;
        int one = whole ? enforce_whole(c, &entries[i], &why) : put_back(c, &entries[i], &why);
        if (one < 0 && first == 0) {
            first = one;
            if (e)
                *e = why;
        }
    }
    app_path_list_free(entries, n);
    return result < 0 ? result : first;
}

int recheck_run(struct registry *r, const char *name, struct strays *strays, struct findings *findings,
                struct quota_values *ret, struct error *e)
{
    struct quota_values values = {.container = xstrdup(name)};
    struct recheck c = {.r = r, .name = name, .strays = strays, .findings = findings, .values = &values};
    bool found = false;
    int result = places_open(&c.places, r->kernel, r->apps, e);
    if (result >= 0) {
        registry_get(r, name, &c.item);
        result = look_at_all(&c, &found, e);
        if (result >= 0 && !found && !c.item.name)
            result = error_set(e, ERROR_NOT_FOUND, ENOENT, "%s has neither a project nor a directory", name);
        places_close(&c.places);
        registry_add_freed(r, strays->freed, strays->n_freed);
        registry_item_clear(&c.item);
    }
    if (result >= 0)
        *ret = values;
    else
        schema_done(&quota_values_schema, &values);
    return result;
}
