/* Implements adopted.h. */
#include "container-driver/adopted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

#define FORMAT   1
#define FILE_MAX ((size_t)4 << 20)

struct adopted_container {
    char *id, *name; /* the name at the adoption, for humans */
    int64_t revision;
    bool unsure; /* only the tenant states the revision */
};

struct ledger {
    int64_t format;
    struct adopted_container **containers;
    size_t n_containers;
};

struct adopted {
    char *path;
    char *problem; /* why the file could not be read; NULL: the file contains this ledger */
    struct ledger ledger;
};

#define T struct adopted_container
static const struct schema_field container_fields[] = {S_STRING(T, id, NULL), S_STRING(T, name, NULL),
                                                       S_INT(T, revision, NULL), S_BOOL_OPT(T, unsure, NULL),
                                                       S_END};
static const struct schema_struct container_schema = {"Adopted", sizeof(T), NULL, container_fields};
#undef T
#define T struct ledger
static const struct schema_field ledger_fields[] = {
    S_INT(T, format, NULL), S_STRUCTS(T, containers, struct adopted_container, &container_schema, NULL),
    S_END};
static const struct schema_struct ledger_schema = {"Ledger", sizeof(T), NULL, ledger_fields};
#undef T

int adopted_load(const char *path, struct adopted **ret, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    struct adopted *a = xcalloc(1, sizeof *a);
    a->path = xstrdup(path);
    int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size, e);
    if (r == -ENOENT)
        r = 0;
    else if (r >= 0)
        r = schema_parse_text(&ledger_schema, text, size, 0, path, &a->ledger, e);
    if (r >= 0 && a->ledger.format > FORMAT)
        r = error_refuse(e, ENOTSUP, "'%s' has format %lld, which this version does not support", path,
                         (long long)a->ledger.format);
    if (r < 0) {
        adopted_free(a);
        return r;
    }
    a->ledger.format = FORMAT;
    *ret = a;
    return 0;
}

struct adopted *adopted_new_beside(const char *path, const char *problem)
{
    struct adopted *a = xcalloc(1, sizeof *a);
    a->path = xstrdup(path);
    a->problem = xstrdup(problem);
    a->ledger.format = FORMAT;
    return a;
}

const char *adopted_problem(const struct adopted *a)
{
    return a->problem;
}

void adopted_free(struct adopted *a)
{
    if (!a)
        return;
    schema_done(&ledger_schema, &a->ledger);
    free(a->problem);
    free(a->path);
    free(a);
}

bool adopted_is_empty(const struct adopted *a)
{
    return !a || a->ledger.n_containers == 0;
}

static struct adopted_container *find(const struct adopted *a, const char *id)
{
    for (size_t i = 0; a && i < a->ledger.n_containers; i++)
        if (streq(a->ledger.containers[i]->id, id))
            return a->ledger.containers[i];
    return NULL;
}

bool adopted_has(const struct adopted *a, const char *id)
{
    return find(a, id);
}

void adopted_claim(const struct adopted *a, struct driver_container *c)
{
    const struct adopted_container *entry = c->ours || c->misnamed ? NULL : find(a, c->id);
    if (!entry)
        return;
    c->ours = c->adopted = true;
    c->revision = entry->revision;
    c->unsure = entry->unsure;
    c->adoptable = false;
    set_string(&c->owner, NULL);
    set_string(&c->misfit, NULL);
}

static int save(struct adopted *a, struct error *e)
{
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&ledger_schema, &a->ledger, &size);
    int r = a->problem ? keep_aside(a->path, e) : 0;
    if (r >= 0)
        r = failpoint("adopted.before_save") < 0
                ? error_fail(e, EIO, "failpoint")
                : replace_file_within(a->path, FILE_MAX, text, size, 0600, e);
    if (r >= 0) {
        free(a->problem);
        a->problem = NULL;
    }
    return r >= 0 && failpoint("adopted.saved") < 0 ? error_fail(e, EIO, "failpoint") : r;
}

static void forget(struct adopted *a, const char *id)
{
    struct ledger *l = &a->ledger;
    for (size_t i = 0; i < l->n_containers; i++)
        if (streq(l->containers[i]->id, id)) {
            schema_free(&container_schema, l->containers[i]);
            l->containers[i] = l->containers[--l->n_containers];
            return;
        }
}

int adopted_add(struct adopted *a, const struct driver_container *c, int64_t revision, bool unsure,
                struct error *e)
{
    struct adopted_container *known = find(a, c->id);
    if (known && known->revision == revision && known->unsure == unsure)
        return 0;
    bool is_new = !known;
    if (!known) {
        known = schema_append(&a->ledger.containers, &a->ledger.n_containers, sizeof *known);
        *known = (struct adopted_container){.id = xstrdup(c->id), .name = xstrdup(c->name)};
    }
    int64_t revision_before = known->revision;
    bool unsure_before = known->unsure;
    known->revision = revision;
    known->unsure = unsure;
    int r = save(a, e);
    if (r < 0) {
        known->revision = revision_before;
        known->unsure = unsure_before;
    }
    if (r < 0 && is_new)
        forget(a, c->id);
    return r;
}

void adopted_drop(struct adopted *a, const char *id)
{
    struct error e = ERROR_INIT;
    if (!find(a, id))
        return;
    forget(a, id);
    if (save(a, &e) < 0)
        log_warning("the removed container %.12s stays in the adoption ledger: %s", id, e.message);
}
