/* The reconciler as a whole: start and end. */
#pragma once

#include "lib/service/service.h"
#include "reconciler/model/instance.h"

int manager_new(struct service_context *context, struct manager **ret, struct error *e);
void manager_free(struct manager *m);
