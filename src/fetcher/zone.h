/* The zone as a repository: who is asked, and for whom. zone.json says where the zone is, and is another one
 * when the machine has joined another zone or its hosts have changed. */
#pragma once

#include "fetcher/lookup.h"
#include "lib/zone/client.h"

#define ZONE_NAME "zone/" /* of the repository, in references and messages */

/* The client for the zone of today. Each fetcher_zone_take() that worked is followed by a
 * fetcher_zone_give(), when its user has no request any more. */
int fetcher_zone_take(struct fetcher *fetcher, struct zone_client **ret, struct error *e);
void fetcher_zone_give(struct fetcher *fetcher, struct zone_client *client);
void fetcher_zone_free(struct fetcher *fetcher);

/* Asks the zone for the best package. 'package' is borrowed and NULL where there is none: with 'e' NULL when
 * the zone has none that matches. The search is over after it. */
struct zone_search;
typedef void (*zone_found_fn)(const struct package_reference *package, const struct error *e, void *userdata);
struct zone_search *zone_search_start(struct fetcher *fetcher, const struct lookup_for *what,
                                      zone_found_fn on_found, void *userdata);
void zone_search_cancel(struct zone_search *search); /* NULL is fine */
