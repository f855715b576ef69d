/* Starts and ends the reconciler: its instances, its files and its connections to the workers. */
#pragma once

#include "lib/service/service.h"
#include "reconciler/model/instance.h"

/* Makes the manager, reads all files and begins to follow the workers. The configuration in 'context' must
 * outlive it. Fails if the state directory cannot be read or written. */
int manager_new(struct service_context *context, struct manager **ret, struct error *e);
/* Reads again what is read at the start beside the configuration and the state. */
void manager_reload(struct manager *m);
/* Saves changed records and frees the manager, which may be NULL. */
void manager_free(struct manager *m);
