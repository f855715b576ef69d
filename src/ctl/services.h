/* Reads the list of services from the supervisor, and declares the commands for services. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/output.h"
#include "lib/api/supervisor.h"

struct service_list {
    struct supervisor_service **items;
    size_t n_items;
};

/* Reads all services in the supervisor's order into the zeroed '*ret'. The caller releases it with
 * service_list_done, also after a failure. */
int service_list_read(const struct ctl *ctl, struct service_list *ret, struct error *e);
void service_list_done(struct service_list *list);

/* Returns the colour in which a state of a service is shown. */
enum colour service_colour(int state);

/* Each returns an exit code. */
int command_services(struct ctl *ctl);
int command_service_start(struct ctl *ctl);
int command_service_stop(struct ctl *ctl);
int command_service_restart(struct ctl *ctl);
int command_reload(struct ctl *ctl);
