/* Determines whether an application is ready, from what the agent in its container reported.
 *
 * A report counts for the life of the container that it was made in: the container with the host name that
 * the report has, which is the begin of its id, since the start that an inspection showed after the report
 * arrived. */
#pragma once

#include "lib/api/container_driver.h"
#include "reconciler/model/record.h"

enum readiness {
    READINESS_UNUSED,  /* the application does not report whether it is ready */
    READINESS_AWAITED, /* it is not ready yet, and time is left */
    READINESS_READY,
    READINESS_LATE, /* it is not ready, and the time is over */
};

struct readiness_input {
    const struct app_spec *spec; /* of the container's revision */
    const struct record_agent *agent;
    const struct driver_container *container;
    uint64_t lasted; /* microseconds since its start */
    /* Microseconds for which the report is waited for in any case: hostlet did not run before, and the agent
     * could not report. */
    uint64_t grace;
};

enum readiness readiness_of(const struct readiness_input *in);

/* Returns the milliseconds of an application's time to become ready: the task's ready_timeout, and more if it
 * has asked for that. 0: it does not report whether it is ready. */
uint64_t readiness_limit(const struct readiness_input *in);

/* Reports whether the agent reported from this container, if its id is known; and from its present life. */
bool readiness_is_of_container(const struct record_agent *agent, const struct driver_container *container);
bool readiness_is_of_life(const struct record_agent *agent, const struct driver_container *container);
