/* Describes the container runtime to the zone: asks the reconciler, at most once a minute. */
#pragma once

#include "lib/api/reconciler.h"
#include "lib/inapi/host.pb-c.h"
#include "rpc-gateway/calls.h"

struct runtime {
    const struct caller *caller; /* borrowed */
    struct call *call;
    uint64_t asked; /* monotonic microseconds; 0: never, or the last call failed */
    struct reconciler_info_out known;
    /* The target of 'containers' in a HostStatus. */
    Inapi__HostStatusContainer message;
    Inapi__HostStatus__ContainersEntry entry, *entries[1];
};

void runtime_done(struct runtime *runtime);

/* Adds the stored description to a status, which borrows it. If it is older than a minute, a call starts,
 * whose result is in a later status. */
void runtime_fill(struct runtime *runtime, Inapi__HostStatus *status);
