/* From an order of the zone to the record that follows it.
 *
 * An order is an instance as the leader answers it, with deploy.revision as its number. What runs is switched
 * when the number is higher than that of the revision that last proved itself; an equal or lower one changes
 * files and action alone. */
#pragma once

#include "reconciler/model/record.h"

struct zone_order {
    const struct app_instance *wanted; /* has a name that was checked */
    const char *refused;               /* why it is not followed, whatever it says; NULL: it is looked at */
    const char *host_id;               /* of this machine in the zone */
    int64_t now;                       /* unix milliseconds */
};

/* What follows from an order. */
struct zone_order_effect {
    struct record *record; /* to be saved in the place of the instance's; NULL: that says all this already */
    bool new_order;        /* another number, action, problem or replica: all is begun anew */
    bool other_bits;       /* image or packages changed under the number of the revision */
    struct record_revision old; /* those that it had, where they changed; else zero */
};

/* Fills the zeroed '*ret'; 'record' is the instance's, or NULL for one that is not known yet. An order that
 * cannot be followed has an effect, too: the record says why, and what is there goes on as before. */
void zone_order_make(const struct record *record, const struct zone_order *order,
                     struct zone_order_effect *ret);

/* Puts another record into the effect, which does not have the order itself: for that there is no room beside
 * what is there. 'reason' is the record's problem. */
void zone_order_make_small(const struct record *record, const struct zone_order *order, const char *reason,
                           struct zone_order_effect *effect);

void zone_order_effect_done(struct zone_order_effect *effect);

/* Assigns this host's replicas of the manifest to the record: new ones come, others are marked as unassigned.
 * True when that changed. */
bool zone_assign_replicas(struct record *record, const struct app_manifest *manifest, const char *host_id);
