/* Reads the list of instances from the reconciler, and declares the commands that show it. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/output.h"
#include "lib/api/reconciler.h"

struct instance_list {
    struct reconciler_instance **items;
    size_t n_items;
};

/* Reads all instances, sorted by name, into the zeroed '*ret'. The caller releases it with
 * instance_list_done, also after a failure. */
int instance_list_read(const struct ctl *ctl, struct instance_list *ret, struct error *e);
void instance_list_done(struct instance_list *list);

/* Returns the most important message of the instance, or "" (borrowed). */
const char *instance_message(const struct reconciler_instance *instance);
/* Returns the number of the instance's replicas in a state of enum replica_state. */
size_t instance_count(const struct reconciler_instance *instance, int state);

/* Each returns an exit code. */
int command_apps(struct ctl *ctl);
int command_app(struct ctl *ctl);
