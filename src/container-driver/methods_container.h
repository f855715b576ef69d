/* Implements the methods about containers. */
#pragma once

#include "lib/service/service.h"

int method_list(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_list_misnamed(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_inspect(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_start(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_stop(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_rename(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_remove(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_adopt(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_set_restart(struct varlink_call *call, const void *in, void *userdata, struct error *e);
