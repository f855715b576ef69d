/* Implements the creation of a replica's container and the check of the zone's network. */
#pragma once

#include "lib/service/service.h"

int method_check_network(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_create(struct varlink_call *call, const void *in, void *userdata, struct error *e);
