/* The daemon: process 1 of a container. */
#pragma once

#include <signal.h>

#include "inagent/environment.h"

/* The signals that the daemon reads; to be blocked before anything else is done, lest one that comes early is
 * lost. */
void daemon_signals(sigset_t *ret);

/* Runs the application of {home}/.innerstack/app_replica.json until a signal, or a failure on probation, ends
 * it; returns the exit code. 'begun' (CLOCK_MONOTONIC, microseconds) is when probation began. */
int daemon_run(const struct environment *environment, const char *home, uint64_t begun);
