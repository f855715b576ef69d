/* The table of commands. */
#pragma once

#include "ctl/ctl.h"

extern const struct command ctl_commands[]; /* ends with a name of NULL */
