/* Searches the repositories for a package, in their order; the first match wins. If a repository cannot be
 * reached, the search ends with its error: a later repository may have another package of the same name and
 * must not replace it silently. */
#pragma once

#include "fetcher/repository.h"

struct lookup;

struct lookup_for {
    const char *name, *os, *arch;
    const char *version; /* the version rule; "": the newest */
    /* Searches for this package instead: the same id and, as far as both define them, the same contents. May
     * be NULL. */
    const struct package_reference *exactly;
};

/* 'package' is borrowed; NULL: it was not found, and 'e' is the reason. The lookup is freed after the
 * call. */
typedef void (*lookup_found_fn)(const struct package_reference *package, const struct error *e,
                                void *userdata);

/* Starts a search. 'what' is copied; 'list' is borrowed and not empty. The loop calls 'on_found' once, unless
 * the search is cancelled. */
struct lookup *lookup_start(struct repository *list, const struct lookup_for *what, lookup_found_fn on_found,
                            void *userdata);
/* Cancels a search. 'lookup' may be NULL. */
void lookup_cancel(struct lookup *lookup);
