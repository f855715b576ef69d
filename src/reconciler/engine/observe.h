/* What the runtime shows. */
#pragma once

#include "reconciler/model/instance.h"

void observe_start(struct manager *m);
void observe_stop(struct manager *m);
void observe_runtime(struct manager *m); /* somebody looks at m->info: asks for it again when it is old */
void observe_replica(struct replica *replica); /* inspects both slots, then kicks */
void manager_set_info(struct manager *m, const struct driver_info_out *info); /* copies */
