/* Drift: a container is not what its revision wants, although it was made for it. Somebody changed its limits
 * or ports, or its address or lxcfs are others by now (contract, section 5: limits by more than 1 %, a
 * binding that is missing). */
#pragma once

#include "lib/api/container_driver.h"
#include "reconciler/model/record.h"

/* A recreation for drift is followed by another one after this time at the earliest: a runtime that does not
 * keep what it is told must not lead to recreations for ever. */
#define DRIFT_PAUSE_USEC (UINT64_C(600) * 1000000)

/* What a container of the revision has. */
struct drift_wish {
    const struct record_revision *revision;
    const char *config;   /* its label: what it is made from */
    const char *vpc_ipv4; /* its address in the zone's network; NULL: none */
    struct app_service_port *const *ports;
    size_t n_ports;
};

/* What is remembered of a replica's drift. */
struct drift {
    bool seen; /* the current container has drifted: once it is stopped for that, its ports tell no more */
    uint64_t mended_at;                /* CLOCK_MONOTONIC, µs: the last recreation for drift; 0: none */
    int64_t mended_cpu, mended_memory; /* the limits that it was made for */
};

/* Tells whether the container is not what is wished. */
bool drift_differs(const struct driver_container *current, const struct drift_wish *wish);

/* Tells what drift->seen is from now on. A container drifts only once its revision proved itself: before
 * that, a switch is under way. */
bool drift_is_seen(const struct drift *drift, const struct driver_container *current,
                   int64_t applied_revision, const struct drift_wish *wish);

/* Tells whether a container whose drift is seen is recreated now. */
bool drift_is_mended_now(const struct drift *drift, const struct record_revision *target, uint64_t now);

/* Notes that the current container is about to be replaced. It is for drift where the container was made from
 * what is wished, or nobody knows from what; where it was not, nothing is noted. */
void drift_note_replacement(struct drift *drift, const struct driver_container *current,
                            const struct drift_wish *wish, uint64_t now);
