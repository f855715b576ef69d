/* Implements the methods about the runtime itself and its images. */
#pragma once

#include "lib/service/service.h"

int method_info(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_image_inspect(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_image_list(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int method_image_pull(struct varlink_call *call, const void *in, void *userdata, struct error *e);
