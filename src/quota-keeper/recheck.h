/* Gives every file of a replica the project of its directory again, whatever project the file's owner set. */
#pragma once

#include "lib/app-path/app_path.h"
#include "quota-keeper/enforce.h"
#include "quota-keeper/findings.h"

/* Finds the project of a directory of the app path: that of the container's ledger item ('item', can be
 * NULL) if the directory is the container's own; otherwise the one that its top carries, which no tenant
 * can change. −EOPNOTSUPP: its filesystem counts no projects. */
int recheck_project(const struct registry *r, const struct place *place, const struct app_path_entry *entry,
                    const struct ledger_item *item, uint32_t *ret);

/* Rechecks all directories of 'name', which is a container or an entry of the app path. 'strays' is empty at
 * the start; *findings receives a finding for each project whose files were put back, and the caller clears
 * it. Returns 0 or a negative errno; −ENOENT (class NotFound): there is neither a project nor a directory.
 * *ret receives the values of a container with a project; otherwise its name and the project of the
 * directory.
 *
 * With strays->kernel set the call only searches for ids: it ends with 0 when the strays are enough, and
 * stores the ids that became free in the registry. */
int recheck_run(struct registry *r, const char *name, struct strays *strays, struct findings *findings,
                struct quota_values *ret, struct error *e);
