/* Implements changes.h. */
#include "net-keeper/changes.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"

static const char *const words[] = {
    [CHANGE_CREATE_DEVICE] = "device made",      [CHANGE_SET_DEVICE] = "device set",
    [CHANGE_MARK_DEVICE] = "device marked",      [CHANGE_DELETE_DEVICE] = "device removed",
    [CHANGE_DELETE_ADDRESS] = "address removed", [CHANGE_ADD_ADDRESS] = "address added",
    [CHANGE_ADD_ENTRY] = "entry added",          [CHANGE_DELETE_ENTRY] = "entry removed",
    [CHANGE_ADD_ROUTE] = "route added",          [CHANGE_REPLACE_ROUTE] = "route replaced",
    [CHANGE_DELETE_ROUTE] = "route removed",
};

struct change *changes_add(struct changes *changes, enum change_kind kind)
{
    if ((changes->n & (changes->n - 1)) == 0) /* the array has room for the next power of two */
        changes->items =
            xrealloc(changes->items, changes->n == 0 ? 1 : changes->n * 2, sizeof *changes->items);
    struct change *change = &changes->items[changes->n++];
    memset(change, 0, sizeof *change);
    change->kind = kind;
    return change;
}

void changes_done(struct changes *changes)
{
    free(changes->items);
    *changes = (struct changes){.n = 0};
}

char *change_text(const struct change *c)
{
    char a[IPV4_TEXT], b[IPV4_TEXT];
    switch (c->kind) {
    case CHANGE_DELETE_ADDRESS:
    case CHANGE_ADD_ADDRESS:
        return xasprintf("%s: %s/%u", words[c->kind], ipv4_text(c->address.address, a), c->address.bits);
    case CHANGE_ADD_ENTRY:
    case CHANGE_DELETE_ENTRY:
        return xasprintf("%s: %s", words[c->kind], ipv4_text(c->entry.peer, a));
    case CHANGE_ADD_ROUTE:
    case CHANGE_REPLACE_ROUTE:
    case CHANGE_DELETE_ROUTE:
        return xasprintf("%s: %s by %s", words[c->kind], range_text(c->route.to, a),
                         ipv4_text(c->route.gateway, b));
    default:
        return xstrdup(words[c->kind]);
    }
}

char *changes_text(const struct changes *changes)
{
    size_t counts[ARRAY_SIZE(words)] = {0};
    char *text = xstrdup("");
    for (size_t i = 0; i < changes->n; i++)
        counts[changes->items[i].kind]++;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (counts[i] == 0)
            continue;
        _cleanup_free_ char *before = text;
        text = xasprintf("%s%s%s (%zu)", before, *before ? ", " : "", words[i], counts[i]);
    }
    return text;
}
