/* Implements ledger.h. */
#include "quota-keeper/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"
#include "lib/schema/schema.h"

struct ledger_file {
    int64_t format;
    struct ledger_item **items;
    size_t n_items;
    int64_t updated;   /* unix seconds */
    int64_t id_offset; /* lowest id from which the next one is searched */
};

#define T struct ledger_item
static const struct schema_field item_fields[] = {
    S_INT(T, id, NULL),
    S_STRING_OPT(T, mnt, NULL),
    S_STRING(T, name, NULL),
    S_INT_OPT(T, soft, NULL),
    S_INT_OPT(T, hard, NULL),
    S_INT_OPT(T, used, NULL),
    S_INT_OPT(T, inodes_soft, NULL),
    S_INT_OPT(T, inodes, NULL),
    S_BOOL_OPT(T, released, NULL),
    S_BOOL_OPT(T, inodes_derived, NULL),
    S_END,
};
static const struct schema_struct item_schema = {"Item", sizeof(T), NULL, item_fields};
#undef T
#define T struct ledger_file
static const struct schema_field file_fields[] = {
    S_INT_OPT(T, format, NULL),
    S_STRUCTS(T, items, struct ledger_item, &item_schema, NULL),
    S_INT_OPT(T, updated, NULL),
    S_INT_OPT(T, id_offset, NULL),
    S_END,
};
static const struct schema_struct file_schema = {"Ledger", sizeof(T), NULL, file_fields};
#undef T

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct ledger_item *)a)->name, ((const struct ledger_item *)b)->name);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = ((const struct ledger_item *)a)->id, y = ((const struct ledger_item *)b)->id;
    return x < y ? -1 : x > y;
}

void ledger_init(struct ledger *ledger, int64_t id_min, int64_t id_max)
{
    *ledger = (struct ledger){.id_min = id_min, .id_max = id_max};
}

static void nothing(void *item)
{
    (void)item;
}

static void free_item(void *item)
{
    schema_free(&item_schema, item);
}

void ledger_done(struct ledger *ledger)
{
    tdestroy(ledger->by_id, nothing);
    tdestroy(ledger->by_name, free_item);
    ledger_init(ledger, ledger->id_min, ledger->id_max);
}

struct ledger_item *ledger_find(const struct ledger *ledger, const char *name)
{
    const struct ledger_item key = {.name = (char *)name};
    struct ledger_item **found = tfind(&key, &ledger->by_name, compare_names);
    return found ? *found : NULL;
}

struct ledger_item *ledger_find_id(const struct ledger *ledger, int64_t id)
{
    const struct ledger_item key = {.id = id};
    struct ledger_item **found = tfind(&key, &ledger->by_id, compare_ids);
    return found ? *found : NULL;
}

/* Takes ownership of the item. */
static void insert(struct ledger *ledger, struct ledger_item *item)
{
    if (!tsearch(item, &ledger->by_name, compare_names) || !tsearch(item, &ledger->by_id, compare_ids))
        abort();
    id_set_add(&ledger->taken, item->id);
    ledger->n++;
}

struct ledger_item *ledger_add(struct ledger *ledger, const char *name, int64_t id)
{
    if (id <= 0 || ledger_find(ledger, name) || ledger_find_id(ledger, id))
        return NULL;
    struct ledger_item *item = xcalloc(1, sizeof *item);
    item->name = xstrdup(name);
    item->id = id;
    insert(ledger, item);
    return item;
}

void ledger_remove(struct ledger *ledger, struct ledger_item *item)
{
    tdelete(item, &ledger->by_name, compare_names);
    tdelete(item, &ledger->by_id, compare_ids);
    id_set_remove(&ledger->taken, item->id);
    ledger->n--;
    free_item(item);
}

static void drop_others(struct ledger *ledger)
{
    size_t n;
    _cleanup_free_ struct ledger_item **items = ledger_items(ledger, &n);
    ledger->taken = (struct id_set){.all_full = 0};
    for (size_t i = 0; i < n; i++)
        id_set_add(&ledger->taken, items[i]->id);
}

int ledger_allocate(struct ledger *ledger, bool (*is_foreign)(int64_t id, void *userdata), void *userdata,
                    int64_t *ret_id, struct error *e)
{
    bool fresh = false;
    for (;;) {
        int64_t id = id_set_first_gap(&ledger->taken, ledger->id_min, ledger->id_max);
        if (id < 0 && !fresh) { /* ids that others used can be free by now */
            drop_others(ledger);
            fresh = true;
            continue;
        }
        if (id < 0)
            return error_fail(e, ENOSPC,
                              "no project id is free between %" PRId64 " and %" PRId64
                              ": 'ids' in section [quota-keeper] of hostlet.conf is their range",
                              ledger->id_min, ledger->id_max);
        if (!is_foreign(id, userdata)) {
            *ret_id = id;
            return 0;
        }
        id_set_add(&ledger->taken, id);
    }
}

struct collection {
    struct ledger_item **items;
    size_t n;
};

static void collect(const void *node, VISIT visit, void *closure)
{
    struct collection *c = closure;
    if (visit == postorder || visit == leaf)
        c->items[c->n++] = *(struct ledger_item *const *)node;
}

static struct ledger_item **items_of(const struct ledger *ledger, const void *tree, size_t *ret_n)
{
    struct collection c = {xcalloc(ledger->n + 1, sizeof *c.items), 0};
    twalk_r(tree, collect, &c);
    *ret_n = c.n;
    return c.items;
}

struct ledger_item **ledger_items(const struct ledger *ledger, size_t *ret_n)
{
    return items_of(ledger, ledger->by_name, ret_n);
}

char *ledger_pack(const struct ledger *ledger)
{
    struct ledger_file file = {.format = LEDGER_FORMAT, .updated = now_realtime_msec() / 1000};
    _cleanup_free_ struct ledger_item **items = items_of(ledger, ledger->by_id, &file.n_items);
    int64_t gap = id_set_first_gap(&ledger->taken, ledger->id_min, ledger->id_max);
    file.items = items;
    file.id_offset = gap < 0 ? ledger->id_min : gap;
    json_t *json = schema_pack(&file_schema, &file);
    if (!json_object_get(json, "items"))
        json_object_set_new(json, "items", json_array());
    json_object_set_new(json, "mount_points", json_array()); /* a member of the contract; no reader exists */
    char *text = json_dumps(json, JSON_INDENT(1));
    json_decref(json);
    if (!text)
        abort();
    return text;
}

static bool is_container(const char *name)
{
    _cleanup_free_ char *instance = NULL;
    int64_t id;
    return app_container_name_parse(name, &instance, &id) == 0;
}

static bool acceptable(const struct ledger *ledger, const struct ledger_item *item)
{
    return is_container(item->name) && item->id > 0 && item->id <= UINT32_MAX && item->soft >= 0 &&
           item->hard >= 0 && item->inodes_soft >= 0 && item->inodes >= 0 &&
           !ledger_find(ledger, item->name) && !ledger_find_id(ledger, item->id);
}

int ledger_parse(struct ledger *ledger, const char *text, size_t size, const char *source,
                 size_t *ret_left_out, struct error *e)
{
    struct ledger_file file = {.format = 0};
    size_t left_out = 0;
    int r = schema_parse_text(&file_schema, text, size, 0, source, &file, e);
    if (r < 0) {
        if (e)
            e->class = ERROR_FAILED;
        return -EBADMSG;
    }
    if (file.format > LEDGER_FORMAT) {
        r = error_refuse(e, ENOTSUP,
                         "'%s' has format %" PRId64 ", this version of hostlet knows %d: it is left as it is",
                         source, file.format, LEDGER_FORMAT);
        schema_done(&file_schema, &file);
        return r;
    }
    for (size_t i = 0; i < file.n_items; i++) {
        if (acceptable(ledger, file.items[i]))
            insert(ledger, TAKE_PTR(file.items[i]));
        else
            left_out++;
    }
    /* The ledger owns the items that it accepted: only the others are released. */
    size_t kept = 0;
    for (size_t i = 0; i < file.n_items; i++)
        if (file.items[i])
            file.items[kept++] = file.items[i];
    file.n_items = kept;
    schema_done(&file_schema, &file);
    *ret_left_out = left_out;
    return 0;
}
