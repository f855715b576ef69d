/* Orders of the zone, followed: durable before anything is done. */
#pragma once

#include "reconciler/model/instance.h"

/* Follows an order for 'instance', which is NULL for one that is not known yet. The name was checked, and the
 * facts are there. 'refused': why the order is not followed, whatever it says; NULL: it is looked at.
 * '*changed' becomes true where the record changed. 0, or a negative errno where it could not be saved, which
 * leaves everything as it was. */
int zone_follow(struct manager *m, struct instance *instance, const struct app_instance *wanted,
                const char *refused, bool *changed, struct error *e);
