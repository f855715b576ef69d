/* Reads the reconciler's settings from hostlet.conf. */
#pragma once

#include "lib/config/config.h"
#include "lib/loop/retry.h"
#include "reconciler/rules/ports.h"

struct settings {
    struct retry_policy retry;
    int64_t parallel_first, parallel_update; /* replicas in a switch at once, see rules/rollout.h */
    struct port_range ports;                 /* host ports for replicas */
    struct {                                 /* the TCP ports of the tree itself */
        struct host_port port;
        const char *key; /* of hostlet.conf */
    } own_ports[2];
    size_t n_own_ports;
    bool zone_enabled; /* the processes of a zone run, net-keeper among them */
    int64_t stop_timeout_msec;
    uint64_t probation_msec;
    bool quota_required;           /* a container starts only with a limit of disk space */
    bool keep_packages;            /* packages that no instance uses are kept, too */
    const char *overcommit;        /* warn, refuse or ignore; points into the configuration */
    const char *unassigned;        /* keep, stop or destroy; points into the configuration */
    const char *manifests;         /* the directory of manifests; "": none; points into the configuration */
    const char *manifests_removed; /* stop or destroy; points into the configuration */
};

/* Fills 'settings', which points into 'config' from then on. */
void settings_read(struct settings *settings, const struct config *config);
