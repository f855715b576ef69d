/* Declares the table of commands. */
#pragma once

#include "ctl/ctl.h"

extern const struct command ctl_commands[]; /* end with a name of NULL */
