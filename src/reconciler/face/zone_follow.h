/* Follows orders of the zone. Each order is on disk before work begins. */
#pragma once

#include "reconciler/model/instance.h"

/* Follows an order for 'instance', or for a new instance if that is NULL. The caller has checked the name,
 * and facts are known. 'refused' is the reason for which the sender refuses the order; NULL: none. '*changed'
 * becomes true if the record changed. Returns 0, or a negative errno if the record could not be saved;
 * nothing has changed then. */
int zone_follow(struct manager *m, struct instance *instance, const struct app_instance *wanted,
                const char *refused, bool *changed, struct error *e);
