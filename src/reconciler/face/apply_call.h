/* Implements the methods Plan and Apply of io.hostlet.Reconciler. */
#pragma once

#include "lib/varlink/server.h"

int method_plan(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_apply(struct varlink_call *call, const void *in, void *userdata, struct error *e);
