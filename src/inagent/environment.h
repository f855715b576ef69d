/* The environment that hostlet starts a container with. */
#pragma once

#include "inagent/spec.h"

struct environment {
    struct identity identity; /* APP_HOST_ID and APP_REP_ID */
    uint64_t probation_usec;  /* HOSTLET_PROBATION, seconds; 5 s. Failures before it are hostlet's to judge */
    uint64_t stop_timeout_usec; /* HOSTLET_STOP_TIMEOUT, seconds; 10 s from the signal to Docker's SIGKILL */
};

/* Fails with one message that names the variable; those of the contract's in the words of the original agent.
 */
int environment_read(struct environment *ret, struct error *e);
