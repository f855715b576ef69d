/* What the zone says of this machine. */
#pragma once

#include "reconciler/model/instance.h"

int facts_load(struct manager *m, struct error *e);
int facts_put(struct manager *m, const struct reconciler_zone_facts *facts, bool *changed, struct error *e);
