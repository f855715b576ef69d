/* Executes the calls that change something: Ensure, Recheck, Release and Remove; one request of a
 * container at a time. */
#pragma once

#include "quota-keeper/manager.h"

enum request_kind {
    REQUEST_ENSURE,
    REQUEST_RECHECK,
    REQUEST_RELEASE,
    REQUEST_REMOVE,
    REQUEST_REMOVE_IF_GONE
};
/* Starts a request. 'call' NULL: it has no caller. 'limits' are those of an Ensure, else NULL. */
void request_begin(struct manager *m, enum request_kind kind, struct varlink_call *call,
                   const char *container, const struct kernel_limits *limits);
/* Starts a recheck as a part of a sweep; sweep_one_done() receives its result. */
void request_begin_recheck(struct manager *m, const char *name, struct sweep *sweep);
/* Starts every request that no earlier one has to precede, and the next batch. */
void requests_run(struct manager *m);
/* Continues the requests that wait for a free id: with 'again' they are in the next batch, otherwise they
 * end with their earlier failure. */
void requests_reclaimed(struct manager *m, bool again);
void requests_free(struct manager *m);
