/* A set of project ids that finds its first gap in three steps, however many ids it contains: one bit per
 * id, and above it two levels with one bit for each word that is full. */
#pragma once

#include <stdint.h>

#include "lib/basic/util.h"

#define ID_MAX 110000 /* defined by the contract */

struct id_set {
    uint64_t bits[ID_MAX / 64 + 1];
    uint64_t full[ID_MAX / 64 / 64 + 1];
    uint64_t all_full;
};

/* Ids above ID_MAX are in no set and cannot be added. */
void id_set_add(struct id_set *set, int64_t id);
void id_set_remove(struct id_set *set, int64_t id);
bool id_set_has(const struct id_set *set, int64_t id);

/* Returns the first id in [min, max] that is not in the set, or −1 if all are. */
int64_t id_set_first_gap(const struct id_set *set, int64_t min, int64_t max);
