/* What the ledger says, made true in the kernel, and read back from it. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "quota-keeper/place.h"
#include "quota-keeper/registry.h"

struct enforce_options {
    bool recheck;          /* looks at every file although the directory at the top carries the project */
    struct strays *strays; /* hears of those that carried another one; may be NULL */
    int64_t entries_max;   /* −E2BIG when the directory has more to be looked at; 0: any number */
};

/* Limits first, then the project on all that is in the directory, so that there is no moment in which it
 * could grow without them; then everything is read back. */
int enforce_item(struct registry *r, const struct ledger_item *item, const struct enforce_options *options,
                 struct quota_values *ret, struct error *e);

/* Lifts the limits of a project. Fine where the filesystem has no quotas (any more). */
int enforce_lift(struct registry *r, const struct ledger_item *item, struct error *e);

/* Lifts the limits, and takes the project from the container's directory and its kept data. −E2BIG as above.
 */
int enforce_remove(struct registry *r, const struct ledger_item *item, int64_t entries_max, struct error *e);

/* Limits and use of one item, from the kernel: the caller releases *ret with schema_done(). */
int enforce_read(struct registry *r, struct places *places, const struct ledger_item *item,
                 struct quota_values *ret, struct error *e);
