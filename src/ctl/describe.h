/* Declares the command describe, which returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_describe(struct ctl *ctl);
