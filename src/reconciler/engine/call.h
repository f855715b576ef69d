/* Calls to workers. */
#pragma once

#include "lib/varlink/follow.h"
#include "reconciler/engine/timeouts.h"
#include "reconciler/model/instance.h"

/* Starts a call to a worker; failures come through the callback. */
struct varlink_request *manager_call(struct manager *m, const char *socket,
                                     const struct varlink_interface *interface, const char *method,
                                     const void *in, bool more, uint64_t timeout_usec,
                                     varlink_answer_fn on_answer, void *userdata);
/* Follows the Watch of a worker; 'handlers' get the manager as their userdata. */
struct follower *manager_follow(struct manager *m, const char *socket,
                                const struct varlink_interface *interface,
                                const struct follower_handlers *handlers);
