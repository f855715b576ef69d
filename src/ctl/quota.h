/* Declares the commands for disk quotas. Each returns an exit code. */
#pragma once

#include "ctl/ctl.h"

int command_quota_list(struct ctl *ctl);
int command_quota_report(struct ctl *ctl);
int command_quota_info(struct ctl *ctl);
int command_quota_recheck(struct ctl *ctl);
