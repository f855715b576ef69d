/* Services as the supervisor lists them, and the commands for them. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/output.h"
#include "lib/api/supervisor.h"

struct service_list {
    struct supervisor_service **items;
    size_t n_items;
};

/* All services in the supervisor's order; the caller ends with service_list_done, after a failure too. */
int service_list_read(const struct ctl *ctl, struct service_list *ret, struct error *e);
void service_list_done(struct service_list *list);

enum colour service_colour(int state);

/* Each returns an exit code. */
int command_services(struct ctl *ctl);
int command_service_start(struct ctl *ctl);
int command_service_stop(struct ctl *ctl);
int command_service_restart(struct ctl *ctl);
int command_reload(struct ctl *ctl);
