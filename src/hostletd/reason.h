/* Says why a service is in its state. */
#pragma once

#include "hostletd/service.h"

/* Returns the service's reason with what follows, by its timer at the time of the call: "...; tried again in
 * 3.0 s". NULL: there is none. The caller frees it. */
char *reason_of(const struct service *s);
