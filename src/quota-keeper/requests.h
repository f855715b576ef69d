/* Requests that change something, one of a container at a time. */
#pragma once

#include "quota-keeper/manager.h"

enum request_kind {
    REQUEST_ENSURE,
    REQUEST_RECHECK,
    REQUEST_RELEASE,
    REQUEST_REMOVE,
    REQUEST_REMOVE_IF_GONE
};
/* 'call' NULL: nobody waits for it. */
void request_begin(struct manager *m, enum request_kind kind, struct varlink_call *call,
                   const char *container, const struct kernel_limits *limits);
/* A recheck as a part of a sweep, which is told of its end. */
void request_begin_recheck(struct manager *m, const char *name, struct sweep *sweep);
/* Starts what can be started. */
void requests_run(struct manager *m);
/* What waits for a free id goes on: it is tried again, or ends with the failure that it had. */
void requests_reclaimed(struct manager *m, bool again);
void requests_free(struct manager *m);
