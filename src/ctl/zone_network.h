/* Declares the commands about the zone's network between the machines. Each returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_zone_network(struct ctl *ctl);
int command_zone_ping(struct ctl *ctl);
