/* Accepts the zone's facts, orders and assignments (PutZoneState), and holds of its instances.
 *
 * A name belongs to the origin that used it first. In a clash, the local instance stays and the zone's order
 * waits until it is destroyed; the clash is shown and reported. An instance that the zone no longer lists is
 * not destroyed for that: the setting 'unassigned' decides. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

/* Follows the zone's order that waited for the name of an instance that was removed. Takes ownership of
 * 'next', which may be NULL. */
void zone_take_over(struct manager *m, struct app_instance *next);
/* Implement PutZoneState, Hold and Release. */
int method_put_zone_state(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_hold(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_release(struct varlink_call *call, const void *in, void *userdata, struct error *e);
