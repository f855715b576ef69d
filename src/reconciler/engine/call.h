/* Calls workers and follows their watches, by the functions of 'struct outside'. */
#pragma once

#include "lib/varlink/follow.h"
#include "reconciler/engine/timeouts.h"
#include "reconciler/model/instance.h"

/* Starts a call. The callback receives replies and failures; it is not called any more after the request was
 * cancelled. 'timeout_usec' applies to each reply; 0: none. */
struct varlink_request *manager_call(struct manager *m, const char *socket,
                                     const struct varlink_interface *interface, const char *method,
                                     const void *in, bool more, uint64_t timeout_usec,
                                     varlink_answer_fn on_answer, void *userdata);
/* Follows the Watch of a worker. The handlers receive the manager as their userdata. The caller frees the
 * follower. */
struct follower *manager_follow(struct manager *m, const char *socket,
                                const struct varlink_interface *interface,
                                const struct follower_handlers *handlers);
