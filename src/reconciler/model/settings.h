/* Reads the reconciler's settings from hostlet.conf. */
#pragma once

#include "lib/config/config.h"
#include "lib/loop/retry.h"

struct settings {
    struct retry_policy retry;
    int64_t parallel_first, parallel_update; /* replicas in a switch at once, see rules/rollout.h */
    int64_t first_port, last_port;           /* host ports for replicas, both included */
    int64_t stop_timeout_msec;
    uint64_t probation_msec;
    bool quota_required;    /* a container starts only with a limit of disk space */
    bool keep_packages;     /* packages that no instance uses are kept, too */
    const char *overcommit; /* warn, refuse or ignore; points into the configuration */
    const char *unassigned; /* keep, stop or destroy; points into the configuration */
};

/* Fills 'settings', which points into 'config' from then on. */
void settings_read(struct settings *settings, const struct config *config);
