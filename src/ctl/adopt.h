/* Adopts containers of the original agent: the calls for one of an inventory, and the command adopt. */
#pragma once

#include "ctl/inventory.h"

/* Sends a replica's secret to the reconciler, which keeps one that it has. Does nothing for an item without
 * an instance or a secret. */
int adopt_secret(const struct ctl *ctl, const struct inventory_item *item, struct error *e);
/* Adopts an item's container with its revision; an unknown one is 0. Returns −ENOENT (not found) if the
 * container no longer exists. */
int adopt_container(const struct ctl *ctl, const struct inventory_item *item, struct error *e);

/* Returns an exit code. */
int command_adopt(struct ctl *ctl);
