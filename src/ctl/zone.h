/* Declares the commands about the zone. Each returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_zone_init(struct ctl *ctl);
int command_zone_join_info(struct ctl *ctl);
int command_zone_status(struct ctl *ctl);
int command_zone_leave(struct ctl *ctl);

/* Prints the error, and what helps if the zone is not enabled. Returns the exit code. */
int zone_fail(const struct ctl *ctl, const struct error *e);
