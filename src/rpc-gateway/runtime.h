/* The container runtime, as the zone is told of it: asked of the reconciler, at most once a minute. */
#pragma once

#include "lib/api/reconciler.h"
#include "lib/inapi/host.pb-c.h"
#include "rpc-gateway/calls.h"

struct runtime {
    const struct caller *caller; /* borrowed */
    struct call *call;
    uint64_t asked; /* monotonic µs */
    struct reconciler_info_out known;
    /* What 'containers' of a status points to. */
    Inapi__HostStatusContainer message;
    Inapi__HostStatus__ContainersEntry entry, *entries[1];
};

void runtime_done(struct runtime *runtime);

/* Adds what is known of it to a status, which borrows it; what is old is asked for, and known the next time.
 */
void runtime_fill(struct runtime *runtime, Inapi__HostStatus *status);
