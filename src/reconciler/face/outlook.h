/* Says what happens next with an instance and its replicas without a request: by the timers that are armed
 * and by the rules, at the time of the reply. Nothing of it is stored, so that no text can become untrue.
 *
 * The functions return a sentence without full stop and time, which the caller frees; NULL: nothing is to
 * happen, or it is in progress. '*ret_at' becomes the time at which it happens, CLOCK_MONOTONIC in
 * microseconds; 0: no timer decides. */
#pragma once

#include "reconciler/model/instance.h"

/* Returns the words for the step in progress, or for the one that is repeated; NULL: it has none. */
const char *outlook_step(const struct replica *replica);

char *outlook_of_replica(const struct replica *replica, uint64_t *ret_at);
char *outlook_of_instance(const struct instance *instance, uint64_t *ret_at);
