/* Reads the environment with which hostlet starts a container. */
#pragma once

#include "inagent/spec.h"

struct environment {
    struct identity identity; /* APP_HOST_ID and APP_REP_ID */
    /* HOSTLET_PROBATION in seconds, default 5 s. A failure before its end ends the container, and hostlet
     * decides. */
    uint64_t probation_usec;
    /* HOSTLET_STOP_TIMEOUT in seconds, default 10 s: the time between Docker's signal and its SIGKILL. */
    uint64_t stop_timeout_usec;
};

/* Reads the variables. Fails with one message that names the variable; for variables of the contract it
 * has the words of the original agent. */
int environment_read(struct environment *ret, struct error *e);
