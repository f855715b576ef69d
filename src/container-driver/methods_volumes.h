/* Implements the methods about the volumes of replicas. */
#pragma once

#include "lib/service/service.h"

int method_remove_volumes(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_copy_volumes(struct varlink_call *call, const void *in, void *userdata, struct error *e);
