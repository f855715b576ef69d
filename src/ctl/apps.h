/* Instances as the reconciler lists them, and the commands that show them. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/output.h"
#include "lib/api/reconciler.h"

struct instance_list {
    struct reconciler_instance **items;
    size_t n_items;
};

/* All instances by name; the caller ends with instance_list_done, after a failure too. */
int instance_list_read(const struct ctl *ctl, struct instance_list *ret, struct error *e);
void instance_list_done(struct instance_list *list);

/* Its most telling message, or "" (borrowed). */
const char *instance_message(const struct reconciler_instance *instance);
/* How many of its replicas run. */
size_t instance_running(const struct reconciler_instance *instance);

/* Each returns an exit code. */
int command_apps(struct ctl *ctl);
int command_app(struct ctl *ctl);
