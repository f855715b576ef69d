/* Makes the kernel enforce what the ledger stores, and reads the result back. */
#pragma once

#include "lib/api/quota_keeper.h"
#include "quota-keeper/place.h"
#include "quota-keeper/registry.h"

struct enforce_options {
    bool recheck;          /* visits every file although the top directory carries the project */
    struct strays *strays; /* receives the files that carried another project; can be NULL */
    int64_t entries_max;   /* −E2BIG if the directory has more entries; 0: any number */
};

/* Sets the limits first and then the project of everything in the directory, so that it can never grow
 * without limits; then reads everything back into *ret. Returns 0 or a negative errno. */
int enforce_item(struct registry *r, const struct ledger_item *item, const struct enforce_options *options,
                 struct quota_values *ret, struct error *e);

/* Lifts the limits of a project. Returns 0 also where the filesystem has no quotas. */
int enforce_lift(struct registry *r, const struct ledger_item *item, struct error *e);

/* Lifts the limits, and removes the project from the container's directory and its kept data. −E2BIG if
 * they have more than 'entries_max' entries (0: any number). */
int enforce_remove(struct registry *r, const struct ledger_item *item, int64_t entries_max, struct error *e);

/* Reads limits and usage of one item from the kernel. The caller releases *ret with schema_done(). */
int enforce_read(struct registry *r, struct places *places, const struct ledger_item *item,
                 struct quota_values *ret, struct error *e);
