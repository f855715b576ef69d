/* Declares the commands status and version. Each returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_status(struct ctl *ctl);
int command_version(struct ctl *ctl);
