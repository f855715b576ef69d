/* Runs process 1 of a container. */
#pragma once

#include <signal.h>

#include "inagent/environment.h"

/* Sets *ret to the signals that the daemon reads. The caller blocks them before any other action, so that
 * none is lost. */
void daemon_signals(sigset_t *ret);

/* Runs the application of {home}/.innerstack/app_replica.json until a signal, or a failure on probation,
 * ends it. Returns the exit code. 'begun' (CLOCK_MONOTONIC, microseconds) is the start of probation. */
int daemon_run(const struct environment *environment, const char *home, uint64_t begun);
