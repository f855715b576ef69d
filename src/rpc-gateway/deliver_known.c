/* Implements deliver_known.h. */
#include "rpc-gateway/deliver_known.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"

struct deliver_hash deliver_hash_of(const void *data, size_t size)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct deliver_hash h;
    if (EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
    memcpy(h.bytes, digest, sizeof h.bytes);
    return h;
}

bool deliver_hash_same(const struct deliver_hash *a, const struct deliver_hash *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static size_t slot_of(const struct known_list *l, const struct deliver_hash *raw)
{
    uint32_t begin;
    memcpy(&begin, raw->bytes, sizeof begin);
    return begin & (l->n_slots - 1);
}

void known_index(struct known_list *l)
{
    free(l->slots);
    for (l->n_slots = 64; l->n_slots < 2 * l->n;)
        l->n_slots *= 2;
    l->slots = xcalloc(l->n_slots, sizeof *l->slots);
    for (size_t i = 0; i < l->n; i++) {
        size_t slot = slot_of(l, &l->items[i].raw);
        while (l->slots[slot])
            slot = (slot + 1) & (l->n_slots - 1);
        l->slots[slot] = (uint32_t)i + 1;
    }
}

struct known *known_by_raw(struct known_list *l, const struct deliver_hash *raw)
{
    for (size_t slot = slot_of(l, raw); l->slots[slot]; slot = (slot + 1) & (l->n_slots - 1))
        if (deliver_hash_same(&l->items[l->slots[slot] - 1].raw, raw))
            return &l->items[l->slots[slot] - 1];
    return NULL;
}

struct known *known_by_name(struct known_list *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++)
        if (streq(l->items[i].name, name))
            return &l->items[i];
    return NULL;
}

struct known *known_add(struct known_list *l, const char *name)
{
    if (l->n == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->items = xrealloc(l->items, l->room, sizeof *l->items);
    }
    l->items[l->n] = (struct known){.name = xstrdup(name)};
    return &l->items[l->n++];
}

static void drop(struct known *k)
{
    free(k->name);
    free(k->problem);
}

bool known_drop_absent(struct known_list *l, unsigned answer)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i].answer == answer)
            l->items[kept++] = l->items[i];
        else
            drop(&l->items[i]);
    }
    bool dropped = kept != l->n;
    l->n = kept;
    return dropped;
}

void known_done(struct known_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        drop(&l->items[i]);
    free(l->items);
    free(l->slots);
    *l = (struct known_list){.n = 0};
}
