/* The instances of the zone that the reconciler has, by which what changed in an answer is told from what did
 * not. Pure. */
#pragma once

#include "lib/basic/util.h"

struct deliver_hash {
    uint8_t bytes[16];
};

struct known {
    char *name;
    struct deliver_hash raw;   /* of its bytes in the last answer */
    struct deliver_hash clean; /* of what of it counts: without the echo of our own reports */
    bool managed;              /* it has a replica here */
    bool refused;              /* not to be delivered again as it is */
    char *problem;             /* why its order is not followed */
    unsigned answer;           /* the last one that had it */
};

struct known_list {
    struct known *items;
    size_t n, room;
    uint32_t *slots; /* index + 1 by the first bytes of 'raw', open addressing */
    size_t n_slots;
};

/* The first half of SHA-256. */
struct deliver_hash deliver_hash_of(const void *data, size_t size);
bool deliver_hash_same(const struct deliver_hash *a, const struct deliver_hash *b);

/* What is found by raw hash is what was there when known_index() was called last; pointers are valid until
 * the list grows. */
void known_index(struct known_list *l);
struct known *known_by_raw(struct known_list *l, const struct deliver_hash *raw);
struct known *known_by_name(struct known_list *l, const char *name);
struct known *known_add(struct known_list *l, const char *name);
/* Forgets those that were not in 'answer'; true when there were any. */
bool known_drop_absent(struct known_list *l, unsigned answer);
void known_done(struct known_list *l);
