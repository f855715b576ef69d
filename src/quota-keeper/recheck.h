/* Every file of a replica back to the project of its directory, whatever its owner made of it. */
#pragma once

#include "lib/app-path/app_path.h"
#include "quota-keeper/enforce.h"
#include "quota-keeper/findings.h"

/* Which project a directory of the app path stands for: that of its container where it is its directory and
 * the ledger has it ('item', may be NULL), else the one that it carries at the top, where no tenant reaches.
 * −EOPNOTSUPP: its filesystem counts nothing. */
int recheck_project(const struct registry *r, const struct place *place, const struct app_path_entry *entry,
                    const struct ledger_item *item, uint32_t *ret);

/* 'name' is a container, or an entry of the app path: all directories that are its. 'strays' is empty; what
 * was put back is said in *findings, which the caller clears. −ENOENT (class NotFound): there is neither a
 * project nor a directory. What is learned of the container with a project is in *ret, else its name and the
 * project of what was looked at.
 *
 * With strays->kernel set nothing but the strays matters: it ends when they are enough (0), and the ids that
 * became free are in the registry. */
int recheck_run(struct registry *r, const char *name, struct strays *strays, struct findings *findings,
                struct quota_values *ret, struct error *e);
