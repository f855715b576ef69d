/* Implements the adoption ledger: the list of the original agent's containers that this tree manages as its
 * own. These containers do not carry this tree's label, and Docker cannot add a label to an existing
 * container. Therefore an administrator's import adds them to the ledger.
 *
 * The file is VAR/hostlet/container-driver/adopted.json. Only the driver writes it. */
#pragma once

#include "lib/api/container_driver.h"

struct adopted;

/* Reads the ledger 'path'. A file that does not exist is an empty ledger. Returns 0, −ENOTSUP (refused) when
 * the format is newer than this version supports, or another negative errno. */
int adopted_load(const char *path, struct adopted **ret, struct error *e);
/* Returns an empty ledger in place of the file 'path', which cannot be read for the reason 'problem'. The
 * first write renames that file and does not delete it. */
struct adopted *adopted_new_beside(const char *path, const char *problem);
/* Returns why the file could not be read; NULL: it was read, or it has been replaced since. */
const char *adopted_problem(const struct adopted *a);
/* Frees the ledger; 'a' may be NULL. */
void adopted_free(struct adopted *a);

bool adopted_is_empty(const struct adopted *a);
bool adopted_has(const struct adopted *a, const char *id);

/* Sets 'ours', 'adopted' and the revision of a container when the ledger contains it and it does not carry
 * this tree's label and is not misnamed. 'a' may be NULL: an empty ledger. */
void adopted_claim(const struct adopted *a, struct driver_container *c);

/* Adds a container to the ledger, or replaces the revision of its entry; 'unsure': only the tenant states it.
 * The entry is durable when the function returns 0; after an error the ledger is unchanged. */
int adopted_add(struct adopted *a, const struct driver_container *c, int64_t revision, bool unsure,
                struct error *e);
/* Drops the entry of a container that was removed. A failed write is logged and otherwise ignored, because no
 * container has the id any more. */
void adopted_drop(struct adopted *a, const char *id);
