/* The functions behind the table of commands. Each returns an exit code. */
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
int command_apps(struct ctl *ctl);
int command_app(struct ctl *ctl);
int command_logs(struct ctl *ctl);
int command_services(struct ctl *ctl);
int command_service_start(struct ctl *ctl);
int command_service_stop(struct ctl *ctl);
int command_service_restart(struct ctl *ctl);
int command_reload(struct ctl *ctl);
int command_status(struct ctl *ctl);
int command_package_build(struct ctl *ctl);
int command_package_inspect(struct ctl *ctl);
int command_package_index(struct ctl *ctl);
int command_package_list(struct ctl *ctl);
int command_package_fetch(struct ctl *ctl);
int command_quota_list(struct ctl *ctl);
int command_quota_report(struct ctl *ctl);
int command_quota_info(struct ctl *ctl);
int command_quota_recheck(struct ctl *ctl);
int command_describe(struct ctl *ctl);
int command_version(struct ctl *ctl);
int command_import(struct ctl *ctl);
int command_zone_init(struct ctl *ctl);
int command_zone_join_info(struct ctl *ctl);
int command_zone_status(struct ctl *ctl);
int command_zone_leave(struct ctl *ctl);
