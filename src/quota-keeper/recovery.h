/* At the start: ledger, directories and kernel are made to agree. */
#pragma once

#include "quota-keeper/registry.h"

/* Directories that carry a project nobody else has are taken into the ledger; items whose data is gone leave
 * it; the kernel gets the limits of the ledger where it has others; then the ledger and the files in /etc are
 * written where they changed. What was done is told in the notes. */
void recovery_run(struct registry *r, struct notes *notes);

/* Items whose directory and kept data are gone, and of which the kernel knows no use: their names, which the
 * caller frees. */
char **recovery_find_gone(struct registry *r, size_t *ret_n);
bool recovery_is_gone(struct registry *r, const struct ledger_item *item);
/* Whether something that was removed of a container is not deleted yet, or a directory of it not complete:
 * whoever gives its id back waits for that. True also when the app path cannot be read. */
bool recovery_is_on_its_way(struct registry *r, const char *container);
