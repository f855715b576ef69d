/* Writes the declaration of an interface in Varlink's description language. */
#pragma once

#include "lib/varlink/interface.h"

/* Returns the description of an interface. The caller frees. */
char *varlink_describe(const struct varlink_interface *interface);
