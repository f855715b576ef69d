/* Looking for a package in the repositories, in their order: the first that has a match wins. A repository
 * that cannot be asked ends the search with its error: a later one must not step in silently, since it may
 * have another package of the name. */
#pragma once

#include "fetcher/repository.h"

struct lookup;

struct lookup_for {
    const char *name, *os, *arch;
    const char *version; /* the rule; "": the newest */
    const struct package_reference
        *exactly; /* or this one: the same id and, where both say, the same contents; may be NULL */
};

/* 'package' is borrowed and NULL when it was not found; then 'e' says why. The lookup is freed after it. */
typedef void (*lookup_found_fn)(const struct package_reference *package, const struct error *e,
                                void *userdata);

/* Everything but the list, which is not empty, is copied. The answer comes from the loop. */
struct lookup *lookup_start(struct repository *list, const struct lookup_for *what, lookup_found_fn on_found,
                            void *userdata);
void lookup_cancel(struct lookup *lookup); /* NULL is fine */
