/* What hostlet.conf says to the reconciler. */
#pragma once

#include "lib/config/config.h"
#include "lib/loop/retry.h"

struct settings {
    struct retry_policy retry;
    int64_t parallel_first, parallel_update; /* replicas that are switched at once, see rules/rollout.h */
    int64_t first_port, last_port;           /* host ports that are given to replicas */
    int64_t stop_timeout_msec;
    uint64_t probation_msec;
    bool quota_required;    /* without a limit of disk space nothing starts */
    bool keep_packages;     /* also those that no instance uses */
    const char *unassigned; /* keep, stop or destroy; borrowed from the configuration */
};

/* Reads them, once. The configuration stays. */
void settings_read(struct settings *settings, const struct config *config);
