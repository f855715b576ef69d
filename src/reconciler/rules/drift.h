/* Detects drift: a container differs from what its revision desires although the revision did not change.
 * Another program changed its ports, or its address or lxcfs differ by now. Limits that differ are set while
 * it runs (rules/limits.h), unless the runtime has lost one. */
#pragma once

#include "lib/api/container_driver.h"
#include "reconciler/model/record.h"

/* The least time between two recreations for drift. A runtime that does not apply what it is given must not
 * cause endless recreations. */
#define DRIFT_PAUSE_USEC (UINT64_C(600) * 1000000)

/* The desired properties of a container. */
struct drift_wish {
    const struct record_revision *revision;
    const char *config;   /* the label with the hash of what it is made from */
    const char *vpc_ipv4; /* the address in the zone's network; NULL: none */
    struct app_service_port *const *ports;
    size_t n_ports;
};

/* The state of a replica's drift. */
struct drift {
    /* The current container has drifted. This stays set when the container is stopped for the recreation,
     * since a stopped container shows no ports. */
    bool seen;
    uint64_t mended_at; /* the last recreation, CLOCK_MONOTONIC, microseconds; 0: none */
};

/* Returns how the container differs from 'wish', as a part of a sentence: "its port 80 is not published on
 * host port 8080"; NULL: it does not differ. The caller frees it. */
char *drift_reason(const struct driver_container *current, const struct drift_wish *wish);

/* Returns the new value of drift->seen. Only a container of the applied revision can drift: before that, a
 * switch is in progress. */
bool drift_is_seen(const struct drift *drift, const struct driver_container *current,
                   int64_t applied_revision, const struct drift_wish *wish);

/* Reports whether a container that has drifted is recreated at 'now' (CLOCK_MONOTONIC, microseconds). */
bool drift_is_mended_now(const struct drift *drift, uint64_t now);

/* Stores the time of a recreation for drift, when the current container is about to be replaced.
 * If it is replaced because it was made from something else than 'wish', nothing is stored. What an adopted
 * container was made from is not known, so its replacement by the same revision counts as one for
 * drift. */
void drift_note_replacement(struct drift *drift, const struct driver_container *current,
                            const struct drift_wish *wish, uint64_t now);
