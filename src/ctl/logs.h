/* Declares the command logs, which returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_logs(struct ctl *ctl);
