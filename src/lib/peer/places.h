/* The places that connections take on a port, and who gives way when there are no more. Pure.
 *
 * A newcomer gets a place as long as its origin has fewer than another one, so that no number of origins, and
 * no number of connections of one of them, keeps anybody out. */
#pragma once

#include "lib/peer/peer.h"

/* Part of a connection; all zero before peer_places_add(). */
struct peer_place {
    struct peer_place *next, *previous; /* oldest first */
    struct peer origin, wider;
    unsigned n, n_wider; /* places of that origin that are not safe, this one counted */
    bool safe;           /* never gives way */
    bool busy;           /* its peer has said all that it has to: gives way after the silent ones */
};

struct peer_places {
    struct peer_place *oldest, *newest;
    unsigned n;
};

void peer_places_add(struct peer_places *places, struct peer_place *place, const struct peer *peer);
void peer_places_remove(struct peer_places *places, struct peer_place *place);
/* From now on it never gives way, and does not count against its origin when others are asked to. */
void peer_places_make_safe(struct peer_places *places, struct peer_place *place);

/* How many places an origin has, safe ones included. */
unsigned peer_places_of(const struct peer_places *places, const struct peer *peer);
/* The oldest place of an origin that is neither safe nor busy; NULL: none. */
struct peer_place *peer_places_silent_of(const struct peer_places *places, const struct peer *peer);

/* Who gives way to a newcomer whose origin has 'n' places that are not safe: of the origins that have most,
 * and more than 'n', the oldest place, silent ones first; where several have as many, the one from the most
 * crowded site. NULL: nobody has to. */
struct peer_place *peer_places_least_welcome(const struct peer_places *places, unsigned n);
