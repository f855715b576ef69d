/* Makes ledger, directories and kernel agree at the start. */
#pragma once

#include "quota-keeper/registry.h"

/* Adds items for directories that carry a project that no other item has; removes items whose data no
 * longer exists; sets the ledger's limits in the kernel where they differ; then writes the ledger and the
 * files in /etc if they changed. Adds a note for each change. */
void recovery_run(struct registry *r, struct notes *notes);

/* Returns the names of items whose directory and kept data no longer exist and whose project has no usage
 * in the kernel. The caller frees them. */
char **recovery_find_gone(struct registry *r, size_t *ret_n);
bool recovery_is_gone(struct registry *r, const struct ledger_item *item);
/* Reports whether a removed directory of the container is not deleted yet, or a new one is not complete. The
 * container's id must not be given back until it is. True also if the app path cannot be read. */
bool recovery_is_on_its_way(struct registry *r, const char *container);
