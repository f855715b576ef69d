/* grpc.health.v1.Health on a server. */
#pragma once

#include "lib/grpc/server.h"

struct grpc_health;

/* Adds the service to 'server', which must be freed before grpc_health_free(). The server as a whole (the
 * name "") serves. */
struct grpc_health *grpc_health_new(struct grpc_server *server);
void grpc_health_free(struct grpc_health *health);
/* Whether a service (its full name, or "") serves; those that watch it are told. Every service is named
 * before calls come: to whom asks for others they stay unknown. */
void grpc_health_set(struct grpc_health *health, const char *service, bool serving);
