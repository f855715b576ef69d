/* Shows an inventory. */
#pragma once

#include "ctl/inventory.h"

/* Prints a table of the items, and below it what their sources lack or contradict. */
void inventory_print(const struct inventory *inventory);
/* Returns the items as a JSON array. */
json_t *inventory_pack(const struct inventory *inventory);
