/* Waits until an instance reaches the desired state, has failed, or a time-out passes. */
#pragma once

#include "ctl/ctl.h"
#include "lib/api/reconciler.h"

struct wait_options {
    const char *name;
    int64_t revision;
    enum app_action action;
    int64_t begun_msec; /* unix milliseconds before the request; earlier failures of stages are ignored */
    bool unchanged;     /* the request changed nothing: success is not news if it is reached already */
    bool quiet;         /* print no lines and bars */
};

/* Follows the instance until the end of the command's limit, or 5 minutes, and prints the result. Returns the
 * exit code. *ret_last is the last received state (the caller frees it with schema_free), or NULL if there
 * was none or the instance no longer exists. Ctrl-C ends only the wait. */
int wait_for_instance(const struct ctl *ctl, const struct wait_options *options,
                      struct reconciler_instance **ret_last);
