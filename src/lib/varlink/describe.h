/* Writes interfaces in Varlink's description language. */
#pragma once

#include "lib/varlink/interface.h"

/* The description in Varlink's own language. The caller frees. */
char *varlink_describe(const struct varlink_interface *interface);
