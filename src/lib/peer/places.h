/* Manages the connections on a port, one place each, and selects which connection is evicted when none is
 * free. Pure functions.
 *
 * A new connection gets a place as long as its origin has fewer than another one. So neither many origins
 * nor many connections of one origin can exclude others. */
#pragma once

#include "lib/peer/peer.h"

/* Part of a connection; peer_places_add() initialises it. */
struct peer_place {
    struct peer_place *next, *previous; /* oldest first */
    struct peer origin, wider;
    unsigned n, n_wider; /* places of that origin that are not safe, including this one */
    bool safe;           /* is never evicted */
    bool busy;           /* its request is complete: evicted after the silent ones */
};

struct peer_places {
    struct peer_place *oldest, *newest;
    unsigned n;
};

void peer_places_add(struct peer_places *places, struct peer_place *place, const struct peer *peer);
void peer_places_remove(struct peer_places *places, struct peer_place *place);
/* Excludes a place from eviction and from the counts that decide about eviction. */
void peer_places_make_safe(struct peer_places *places, struct peer_place *place);

/* Returns how many places an origin has, including safe ones. */
unsigned peer_places_of(const struct peer_places *places, const struct peer *peer);
/* Returns the oldest place of an origin that is neither safe nor busy, or NULL. */
struct peer_place *peer_places_silent_of(const struct peer_places *places, const struct peer *peer);

/* Returns the place to evict for a new connection whose origin has 'n' places that are not safe.
 * Candidates are the places of the origins that have the most such places, and more than 'n'. Among them
 * it selects silent places before busy ones, then those of the site with most places, then the oldest.
 * Returns NULL if no place can be evicted. */
struct peer_place *peer_places_least_welcome(const struct peer_places *places, unsigned n);
