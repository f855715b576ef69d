/* Declares the commands that change the desired state. Each returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_apply(struct ctl *ctl);
int command_plan(struct ctl *ctl);
int command_convert(struct ctl *ctl);
int command_start(struct ctl *ctl);
int command_stop(struct ctl *ctl);
int command_destroy(struct ctl *ctl);
int command_hold(struct ctl *ctl);
int command_release(struct ctl *ctl);
