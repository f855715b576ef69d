/* Stores which instances of the zone the reconciler has, so that changed instances of an answer can be
 * told from equal ones. */
#pragma once

#include "lib/basic/util.h"

struct deliver_hash {
    uint8_t bytes[16];
};

struct known {
    char *name;
    struct deliver_hash raw;   /* of the instance's bytes in the last answer */
    struct deliver_hash clean; /* of the instance without the echo of this machine's reports */
    bool managed;              /* it has a replica on this machine */
    bool refused;              /* not delivered again while it is unchanged */
    char *problem;             /* why its order is not executed */
    unsigned answer;           /* number of the last answer that contained it */
};

struct known_list {
    struct known *items;
    size_t n, room;
    uint32_t *slots; /* index + 1, by the first bytes of 'raw'; open addressing */
    size_t n_slots;
};

/* Returns the first half of the SHA-256 of 'data'. */
struct deliver_hash deliver_hash_of(const void *data, size_t size);
bool deliver_hash_same(const struct deliver_hash *a, const struct deliver_hash *b);

/* known_index() prepares the search by raw hash, which finds the items and hashes of that time. Pointers
 * are valid until the list grows. */
void known_index(struct known_list *l);
struct known *known_by_raw(struct known_list *l, const struct deliver_hash *raw);
struct known *known_by_name(struct known_list *l, const char *name);
struct known *known_add(struct known_list *l, const char *name);
/* Drops the instances that were not in 'answer'; returns whether there were any. */
bool known_drop_absent(struct known_list *l, unsigned answer);
void known_done(struct known_list *l);
