/* Declares the command import, which returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_import(struct ctl *ctl);
