/* Serves grpc.health.v1.Health. */
#pragma once

#include "lib/grpc/server.h"

struct grpc_health;

/* Adds the service to 'server', which must be freed before grpc_health_free(). The server as a whole (the
 * name "") is set to serving. */
struct grpc_health *grpc_health_new(struct grpc_server *server);
void grpc_health_free(struct grpc_health *health);
/* Sets whether a service (its full name, or "") is serving, and notifies its watchers. Every service must be
 * set before the first call: a watcher of an unset service gets SERVICE_UNKNOWN for good. */
void grpc_health_set(struct grpc_health *health, const char *service, bool serving);
