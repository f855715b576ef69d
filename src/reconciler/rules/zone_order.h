/* Makes the record that follows an order of the zone.
 *
 * An order is an instance in the leader's response; deploy.revision is its number. Replicas are switched if
 * the number is higher than every applied revision. An equal or lower number changes files, action and stages
 * alone. */
#pragma once

#include "reconciler/model/record.h"

struct zone_order {
    const struct app_instance *wanted; /* its name is checked already */
    const char *refused;               /* why the sender refuses the order; NULL: it does not */
    const char *host_id;               /* the zone's id for this machine */
    int64_t now;                       /* unix milliseconds */
};

/* The consequences of an order. */
struct zone_order_effect {
    struct record *record;      /* replaces the instance's record; NULL: the order changes nothing */
    bool new_order;             /* number, action, problem or replicas changed: instance_begin() is due */
    bool other_bits;            /* image or packages changed under the same revision */
    struct record_revision old; /* then the previous ids, to be released; else zero */
};

/* Fills the zeroed '*ret', which the caller frees with zone_order_effect_done(). 'record' is the instance's,
 * or NULL for a new instance. An order that cannot be followed has an effect, too: the new record has the
 * problem and the order, and the desired revision and action stay unchanged. */
void zone_order_make(const struct record *record, const struct zone_order *order,
                     struct zone_order_effect *ret);

/* Replaces the record of an effect by one without the order itself, after the larger one exceeded the size of
 * a record. 'reason' becomes the record's problem. */
void zone_order_make_small(const struct record *record, const struct zone_order *order, const char *reason,
                           struct zone_order_effect *effect);

void zone_order_effect_done(struct zone_order_effect *effect);

/* Updates the record's replicas to those that the manifest assigns to this host: adds new ones with their
 * ports and addresses, and marks the others as unassigned. Returns true if a replica was added or its
 * assignment changed. */
bool zone_assign_replicas(struct record *record, const struct app_manifest *manifest, const char *host_id);
