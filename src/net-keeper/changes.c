/* Implements changes.h. */
#include "net-keeper/changes.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"

static const struct {
    const char *object, *verb, *done;
} words[] = {
    [CHANGE_CREATE_DEVICE] = {"device", "make", "made"},
    [CHANGE_SET_DEVICE] = {"device", "set", "set"},
    [CHANGE_MARK_DEVICE] = {"device", "mark", "marked"},
    [CHANGE_DELETE_DEVICE] = {"device", "remove", "removed"},
    [CHANGE_DELETE_ADDRESS] = {"address", "remove", "removed"},
    [CHANGE_ADD_ADDRESS] = {"address", "add", "added"},
    [CHANGE_ADD_ENTRY] = {"entry", "add", "added"},
    [CHANGE_REPLACE_ENTRY] = {"entry", "replace", "replaced"},
    [CHANGE_DELETE_ENTRY] = {"entry", "remove", "removed"},
    [CHANGE_ADD_ROUTE] = {"route", "add", "added"},
    [CHANGE_REPLACE_ROUTE] = {"route", "replace", "replaced"},
    [CHANGE_DELETE_ROUTE] = {"route", "remove", "removed"},
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
    const unsigned char *m = c->entry.ethernet;
    char a[IPV4_TEXT], b[IPV4_TEXT];
    const char *verb = words[c->kind].verb, *object = words[c->kind].object;
    if (c->kind == CHANGE_SET_DEVICE && c->set == DEVICE_NO_IPV6)
        return xstrdup("turn IPv6 off on the device");
    switch (c->kind) {
    case CHANGE_DELETE_ADDRESS:
    case CHANGE_ADD_ADDRESS:
        return xasprintf("%s %s %s/%u", verb, object, ipv4_text(c->address.address, a), c->address.bits);
    case CHANGE_ADD_ENTRY:
    case CHANGE_REPLACE_ENTRY:
    case CHANGE_DELETE_ENTRY:
        if (actual_floods(&c->entry))
            return xasprintf("%s %s %s", verb, object, ipv4_text(c->entry.peer, a));
        return xasprintf("%s %s %02x:%02x:%02x:%02x:%02x:%02x to %s", verb, object, m[0], m[1], m[2], m[3],
                         m[4], m[5], ipv4_text(c->entry.peer, a));
    case CHANGE_ADD_ROUTE:
    case CHANGE_REPLACE_ROUTE:
    case CHANGE_DELETE_ROUTE:
        return xasprintf("%s %s %s by %s", verb, object, range_text(c->route.to, a),
                         ipv4_text(c->route.gateway, b));
    default:
        return xasprintf("%s %s", verb, object);
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
        text = xasprintf("%s%s%s %s (%zu)", before, *before ? ", " : "", words[i].object, words[i].done,
                         counts[i]);
    }
    return text;
}
