/* Implements inventory_print.h. */
#include "ctl/inventory_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/table.h"
#include "lib/schema/object.h"

static const struct {
    unsigned bit;
    const char *name, *in_table;
} sources[] = {{SOURCE_ACTIVE, "hostlet_active.json", "state"},
               {SOURCE_DIRECTORY, "directory", "directory"},
               {SOURCE_DOCKER, "docker", "docker"}};

static const char *what_happens(const struct inventory_item *item)
{
    switch (item->fate) {
    case FATE_MISSING:
        return item->wanted ? "no container: created if its action is start"
                            : "no container: created if the zone orders it";
    case FATE_ADOPTED:
        return "already adopted";
    case FATE_OURS:
        return "already belongs to this tree";
    case FATE_OTHER_TREE:
        return "belongs to another hostlet tree: not adopted";
    case FATE_NOT_ADOPTED:
        return "not adopted";
    case FATE_NO_NAME:
        return "not used";
    case FATE_ADOPT:
        break;
    }
    if (driver_state_is_lost((enum driver_state)item->found->state))
        return "adopted; its removal has begun, so the zone's order will recreate it";
    if (item->revision < 1)
        return "adopted; its revision is unknown, so the zone's order will recreate it";
    if (item->wanted && item->wanted->deploy->revision > item->revision)
        return "adopted; a newer revision is desired, so it will be switched";
    return driver_state_is_up((enum driver_state)item->found->state)
               ? "adopted as it runs"
               : "adopted; it does not run: started if its action is start";
}

static const char *state_of(const struct inventory_item *item)
{
    return item->found ? schema_enum_name(&driver_state_enum, item->found->state) : "none";
}

/* Adds a cell with a revision; below 0: unknown. */
static void revision_cell(struct table *t, int64_t revision)
{
    if (revision < 0)
        table_cell(t, PLAIN, "-");
    else
        table_cell(t, PLAIN, "%" PRId64, revision);
}

/* Returns the names of the item's sources. The caller frees it. */
static char *sources_text(const struct inventory_item *item)
{
    char *text = xstrdup("");
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        if (item->sources & sources[i].bit) {
            char *longer = xasprintf("%s%s%s", text, *text ? ", " : "", sources[i].in_table);
            free(text);
            text = longer;
        }
    return text;
}

void inventory_print(const struct inventory *inventory)
{
    struct table *t =
        table_new("CONTAINER", "STATE", "REVISION", "WANTED", "KNOWN FROM", "WHAT HAPPENS", NULL);
    for (size_t i = 0; i < inventory->n_items; i++) {
        const struct inventory_item *item = inventory->items[i];
        _cleanup_free_ char *name = format_safe(item->container), *from = sources_text(item);
        table_cell(t, PLAIN, "%s", name);
        table_cell(t, PLAIN, "%s", state_of(item));
        revision_cell(t, item->revision);
        revision_cell(t, item->wanted ? item->wanted->deploy->revision : -1);
        table_cell(t, PLAIN, "%s", from);
        table_cell(t, PLAIN, "%s", what_happens(item));
    }
    table_print(t, false);
    for (size_t i = 0; i < inventory->n_items; i++)
        for (size_t k = 0; k < inventory->items[i]->n_remarks; k++) {
            _cleanup_free_ char *name = format_safe(inventory->items[i]->container),
                                *text = format_safe(inventory->items[i]->remarks[k]);
            printf("%s: %s\n", name, text);
        }
}

json_t *inventory_pack(const struct inventory *inventory)
{
    json_t *items = json_array();
    for (size_t i = 0; i < inventory->n_items; i++) {
        const struct inventory_item *item = inventory->items[i];
        json_t *from = json_array(), *remarks = json_array();
        for (size_t k = 0; k < ARRAY_SIZE(sources); k++)
            if (item->sources & sources[k].bit)
                json_array_append_new(from, json_string(sources[k].name));
        for (size_t k = 0; k < item->n_remarks; k++)
            json_array_append_new(remarks, json_string(item->remarks[k]));
        json_t *row =
            json_pack("{s:s,s:s,s:o,s:b,s:b,s:s,s:o}", "container", item->container, "state", state_of(item),
                      "known_from", from, "adopted", item->fate == FATE_ADOPT, "secret", item->secret != NULL,
                      "what_happens", what_happens(item), "remarks", remarks);
        if (item->revision >= 0)
            json_object_set_new(row, "revision", json_integer(item->revision));
        if (item->wanted)
            json_object_set_new(row, "wanted", json_integer(item->wanted->deploy->revision));
        json_array_append_new(items, row);
    }
    return items;
}
