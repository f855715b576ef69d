/* What the zone wants of this machine, and holds. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

/* A local instance is gone, whose name an order of the zone waited for. Takes 'next', which may be NULL. */
void zone_take_over(struct manager *m, struct app_instance *next);
int method_put_zone_state(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_hold(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_release(struct varlink_call *call, const void *in, void *userdata, struct error *e);
