/* Implements places.h. */
#include "lib/peer/places.h"

/* Adds 'change' (+1 or −1) to the counts of all other places of the same origin and site that are not
 * safe. */
static void count(struct peer_places *places, struct peer_place *place, int change)
{
    for (struct peer_place *p = places->oldest; p; p = p->next) {
        if (p == place || p->safe)
            continue;
        if (peer_equal(&p->origin, &place->origin))
            p->n = (unsigned)((int)p->n + change);
        if (peer_equal(&p->wider, &place->wider))
            p->n_wider = (unsigned)((int)p->n_wider + change);
    }
}

void peer_places_add(struct peer_places *places, struct peer_place *place, const struct peer *peer)
{
    *place = (struct peer_place){
        .previous = places->newest, .origin = peer_origin(peer), .wider = peer_wider_origin(peer)};
    for (const struct peer_place *p = places->oldest; p; p = p->next) {
        place->n += !p->safe && peer_equal(&p->origin, &place->origin);
        place->n_wider += !p->safe && peer_equal(&p->wider, &place->wider);
    }
    place->n++;
    place->n_wider++;
    count(places, place, 1);
    *(places->newest ? &places->newest->next : &places->oldest) = place;
    places->newest = place;
    places->n++;
}

void peer_places_remove(struct peer_places *places, struct peer_place *place)
{
    if (!place->safe)
        count(places, place, -1);
    *(place->previous ? &place->previous->next : &places->oldest) = place->next;
    *(place->next ? &place->next->previous : &places->newest) = place->previous;
    places->n--;
}

void peer_places_make_safe(struct peer_places *places, struct peer_place *place)
{
    if (place->safe)
        return;
    place->safe = true;
    count(places, place, -1);
}

unsigned peer_places_of(const struct peer_places *places, const struct peer *peer)
{
    const struct peer origin = peer_origin(peer);
    unsigned n = 0;
    for (const struct peer_place *p = places->oldest; p; p = p->next)
        n += peer_equal(&p->origin, &origin);
    return n;
}

struct peer_place *peer_places_silent_of(const struct peer_places *places, const struct peer *peer)
{
    const struct peer origin = peer_origin(peer);
    for (struct peer_place *p = places->oldest; p; p = p->next)
        if (!p->safe && !p->busy && peer_equal(&p->origin, &origin))
            return p;
    return NULL;
}

static bool less_welcome(const struct peer_place *a, const struct peer_place *b)
{
    if (a->n != b->n)
        return a->n > b->n;
    if (a->busy != b->busy)
        return b->busy;
    return a->n_wider > b->n_wider; /* of equal places the oldest is found first */
}

struct peer_place *peer_places_least_welcome(const struct peer_places *places, unsigned n)
{
    struct peer_place *found = NULL;
    for (struct peer_place *p = places->oldest; p; p = p->next)
        if (!p->safe && p->n > n && (!found || less_welcome(p, found)))
            found = p;
    return found;
}
