/* Changes the registry, many changes at once, under the machine's lock. */
#pragma once

#include "quota-keeper/registry.h"

/* Executes the ops. Each has its own result. If the ledger cannot be written, every op that would change
 * it fails, and nothing is changed. */
void registry_run(struct registry *r, struct op **ops, size_t n, struct notes *notes);

/* Returns the limit of inodes for limits that name none; 0: no limit. It is never below 'used_inodes'. */
int64_t registry_inodes_for(const struct registry *r, int64_t soft, int64_t hard, int64_t used_inodes);

/* Reports whether a project that a directory carries can become the container's: it is in the range, no
 * other tree uses it, and the directory did not inherit it from the app path. */
bool registry_may_adopt(struct registry *r, const struct places *places, uint32_t project,
                        const struct id_set *others);
