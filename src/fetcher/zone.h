/* Uses the zone as a repository: connections and searches. zone.json describes the zone. It changes when the
 * machine joins another zone or the hosts of the zone change. */
#pragma once

#include "fetcher/lookup.h"
#include "lib/zone/client.h"

#define ZONE_NAME "zone/" /* name of the repository in references and messages */

/* Returns the client for the current zone. The caller calls fetcher_zone_give() for each successful
 * fetcher_zone_take(), when it has no request any more. */
int fetcher_zone_take(struct fetcher *fetcher, struct zone_client **ret, struct error *e);
void fetcher_zone_give(struct fetcher *fetcher, struct zone_client *client);
void fetcher_zone_free(struct fetcher *fetcher);

/* Searches the zone for the best package. 'package' is borrowed; NULL without 'e': the zone has no match;
 * NULL with 'e': the search failed. The search is freed after the call. */
struct zone_search;
typedef void (*zone_found_fn)(const struct package_reference *package, const struct error *e, void *userdata);
struct zone_search *zone_search_start(struct fetcher *fetcher, const struct lookup_for *what,
                                      zone_found_fn on_found, void *userdata);
/* Cancels a search. 'search' may be NULL. */
void zone_search_cancel(struct zone_search *search);
