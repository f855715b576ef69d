/* Implements enforce.h. */
#include "quota-keeper/enforce.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "quota-keeper/level.h"
#include "quota-keeper/tag.h"

static const struct kernel_limits no_limits = {0, 0, 0, 0};

static struct kernel_limits limits_of(const struct ledger_item *item)
{
    return (struct kernel_limits){item->soft, item->hard, item->inodes_soft, item->inodes};
}

static int set_limits(const struct registry *r, int fd, int64_t project, const struct kernel_limits *limits,
                      struct error *e)
{
    struct kernel_quota quota;
    const struct kernel *k = r->kernel;
    if (k->get(k, fd, (uint32_t)project, &quota) == 0 && kernel_limits_match(limits, &quota.limits))
        return 0;
    int result = k->set(k, fd, (uint32_t)project, limits);
    if (result < 0)
        return error_os(e, -result, "cannot set the limits of project %" PRId64, project);
    return failpoint_error("limits.set", e);
}

static void fill_values(const struct registry *r, const struct ledger_item *item, const struct place *place,
                        const struct kernel_quota *quota, bool gone, struct quota_values *ret)
{
    const struct filesystem *f = place->filesystem;
    *ret = (struct quota_values){
        .container = xstrdup(item->name),
        .project = item->id,
        .soft = quota->limits.soft,
        .hard = quota->limits.hard,
        .inodes_soft = quota->limits.inodes_soft,
        .inodes = quota->limits.inodes,
        .used = quota->used,
        .used_inodes = quota->used_inodes,
        .released = item->released,
        .level = quota_level(quota, r->threshold),
        .directory = gone ? NULL : xstrdup(place->path),
        .mount_point = xstrdup(f->mount.mount_point),
        .filesystem = xstrdup(f->mount.type),
        .not_enforced = f->reason ? xasprintf("%s; %s", f->reason, f->remedy) : NULL,
    };
}

/* Reads limits, usage and the directory's project from the kernel, and fails if they are not what was set:
 * a reported value must have been read. */
static int read_back(const struct registry *r, const struct place *place, const struct ledger_item *item,
                     struct kernel_quota *ret, struct error *e)
{
    struct kernel_tag tag;
    struct kernel_limits limits = limits_of(item);
    int result = r->kernel->read_tag(r->kernel, place->fd, &tag);
    if (result >= 0)
        result = r->kernel->get(r->kernel, place->fd, (uint32_t)item->id, ret);
    if (result < 0)
        return error_os(e, -result, "cannot read back project %" PRId64, item->id);
    if (tag.project != item->id || !tag.inherit)
        return error_retry(e, EAGAIN, "'%s' was given project %" PRId64 ", and has %u", place->path, item->id,
                           tag.project);
    if (!kernel_limits_match(&limits, &ret->limits))
        return error_retry(e, EAGAIN,
                           "project %" PRId64 " was given the limits %" PRId64 " and %" PRId64
                           " bytes, %" PRId64 " inodes, and has %" PRId64 " and %" PRId64 ", %" PRId64
                           " inodes",
                           item->id, limits.soft, limits.hard, limits.inodes, ret->limits.soft,
                           ret->limits.hard, ret->limits.inodes);
    return 0;
}

static int enforce_here(struct registry *r, const struct place *place, const struct ledger_item *item,
                        const struct enforce_options *options, struct quota_values *ret, struct error *e)
{
    struct kernel_tag tag;
    struct kernel_quota quota;
    struct kernel_limits limits = limits_of(item);
    const struct tag_options how = {options->strays, &limits, options->entries_max};
    struct tag_result tagged = {.changed = 0};
    int result = place_check_enforced(place, e);
    if (result >= 0)
        result = set_limits(r, place->fd, item->id, &limits, e);
    if (result < 0)
        return result;
    bool whole =
        r->kernel->read_tag(r->kernel, place->fd, &tag) == 0 && tag.project == item->id && tag.inherit;
    if (!whole || options->recheck)
        result = tag_tree(r->kernel, place->fd, (uint32_t)item->id, &how, &tagged, e);
    if (result >= 0)
        result = failpoint_error("tag.done", e);
    if (result >= 0)
        result = read_back(r, place, item, &quota, e);
    if (result < 0)
        return result;
    fill_values(r, item, place, &quota, false, ret);
    ret->skipped = tagged.skipped;
    return 0;
}

int enforce_item(struct registry *r, const struct ledger_item *item, const struct enforce_options *options,
                 struct quota_values *ret, struct error *e)
{
    struct places places;
    struct place place = PLACE_INIT;
    int result = places_open(&places, r->kernel, r->apps, e);
    if (result < 0)
        return result;
    result = place_open(&places, item->name, &place, e);
    if (result >= 0)
        result = enforce_here(r, &place, item, options, ret, e);
    place_clear(&place);
    places_close(&places);
    return result < 0 ? error_prefix(e, "%s", item->name) : 0;
}

static int lift(struct registry *r, struct places *places, const struct ledger_item *item, struct error *e)
{
    struct place place = PLACE_INIT;
    bool gone;
    int result = place_open_any(places, item->name, &place, &gone, e);
    if (result >= 0 && place.filesystem->state.accounted)
        result = set_limits(r, place.fd, item->id, &no_limits, e);
    place_clear(&place);
    return result;
}

int enforce_lift(struct registry *r, const struct ledger_item *item, struct error *e)
{
    struct places places;
    int result = places_open(&places, r->kernel, r->apps, e);
    if (result < 0)
        return result;
    result = lift(r, &places, item, e);
    places_close(&places);
    return result < 0 ? error_prefix(e, "%s", item->name) : 0;
}

/* Removes the project from a directory, first from the top: a top that carries the project means that
 * everything below does, too. */
static int untag(const struct registry *r, struct places *places, const char *name,
                 const struct ledger_item *item, int64_t entries_max, struct error *e)
{
    const struct tag_options how = {.entries_max = entries_max};
    struct place place = PLACE_INIT;
    struct kernel_tag tag, none = {.project = 0};
    struct tag_result tagged;
    int result = place_open(places, name, &place, e);
    if (result == -ENOENT)
        return 0;
    if (result >= 0 && r->kernel->read_tag(r->kernel, place.fd, &tag) == 0 &&
        (tag.project == item->id || tag.project == 0)) {
        int written = tag.project ? r->kernel->write_tag(r->kernel, place.fd, &none) : 0;
        result = written < 0 ? error_os(e, -written, "cannot remove project %" PRId64 " from '%s'", item->id,
                                        place.path)
                             : tag_tree(r->kernel, place.fd, 0, &how, &tagged, e);
        /* The limits and the directory's own project are removed durably before the ledger drops the item:
         * after a power failure no ledger would list them. Entries below can keep the project even then:
         * Report finds them, and the id is not given out again. */
        if (result >= 0 && fsync(place.fd) < 0)
            result = error_os(e, errno, "cannot sync '%s'", place.path);
    }
    place_clear(&place);
    return result;
}

static int untag_all(const struct registry *r, struct places *places, const struct ledger_item *item,
                     int64_t entries_max, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int result = app_path_list(places->apps_fd, &entries, &n, e);
    for (size_t i = 0; i < n && result >= 0; i++)
        if (entries[i].container && streq(entries[i].container, item->name))
            result = untag(r, places, entries[i].name, item, entries_max, e);
    app_path_list_free(entries, n);
    return result;
}

int enforce_remove(struct registry *r, const struct ledger_item *item, int64_t entries_max, struct error *e)
{
    struct places places;
    int result = places_open(&places, r->kernel, r->apps, e);
    if (result < 0)
        return result;
    result = lift(r, &places, item, e);
    if (result >= 0)
        result = failpoint_error("remove.lifted", e);
    if (result >= 0)
        result = untag_all(r, &places, item, entries_max, e);
    if (result >= 0)
        result = failpoint_error("remove.untagged", e);
    places_close(&places);
    return result < 0 ? error_prefix(e, "%s", item->name) : 0;
}

int enforce_read(struct registry *r, struct places *places, const struct ledger_item *item,
                 struct quota_values *ret, struct error *e)
{
    struct place place = PLACE_INIT;
    struct kernel_quota quota = {.used = 0};
    bool gone;
    int result = place_open_any(places, item->name, &place, &gone, e);
    if (result >= 0 && place.filesystem->state.accounted) {
        result = r->kernel->get(r->kernel, place.fd, (uint32_t)item->id, &quota);
        if (result < 0)
            error_os(e, -result, "cannot read project %" PRId64, item->id);
    }
    if (result >= 0)
        fill_values(r, item, &place, &quota, gone, ret);
    place_clear(&place);
    return result < 0 ? error_prefix(e, "%s", item->name) : 0;
}
