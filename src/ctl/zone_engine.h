/* Compares the container engine's network with the zone's network. */
#pragma once

#include "ctl/ctl.h"
#include "lib/api/net_keeper.h"

/* Adds to info->problems how the engine's network differs from one that would be made now. Nothing is added
 * if the engine or container-driver cannot be asked, which 'status' shows. */
void zone_engine_problems(const struct ctl *ctl, struct net_info_out *info);
