/* Changes of the registry, many at once, under the machine's lock. */
#pragma once

#include "quota-keeper/registry.h"

/* Each op's result is its own; a ledger that cannot be written fails all that would change it, and nothing is
 * changed. */
void registry_run(struct registry *r, struct op **ops, size_t n, struct notes *notes);

/* How many inodes go with limits that name none; 0: no limit. Never fewer than it has. */
int64_t registry_inodes_for(const struct registry *r, int64_t soft, int64_t hard, int64_t used_inodes);

/* Whether a directory's project can be taken for ours: an id that nobody else has, which it did not get from
 * the app path. */
bool registry_may_adopt(struct registry *r, const struct places *places, uint32_t project,
                        const struct id_set *others);
