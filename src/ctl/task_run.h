/* Declares the command task run, which returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_task_run(struct ctl *ctl);
