/* Declares the commands for packages. Each returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_package_build(struct ctl *ctl);
int command_package_inspect(struct ctl *ctl);
int command_package_index(struct ctl *ctl);
int command_package_list(struct ctl *ctl);
int command_package_fetch(struct ctl *ctl);
