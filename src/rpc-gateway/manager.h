/* What the gateway holds: its ports, and the parts that serve them. */
#pragma once

#include "lib/api/gateway.h"
#include "lib/service/service.h"

struct manager {
    struct service_context *context;
    int64_t started;      /* unix seconds */
    int peer_fd, http_fd; /* listening sockets; −1: none */
};

struct manager *manager_new(struct service_context *context);
void manager_free(struct manager *manager);

/* As root: takes the ports that the supervisor holds, and binds those that it does not. None while [zone] enable is
 * off. */
int manager_open_ports(struct manager *manager, struct error *e);

/* In the jail, with the loop. */
int manager_start(struct manager *manager, struct error *e);

/* Fills 'ret', which is released with schema_done(). */
void manager_info(const struct manager *manager, struct gateway_info_out *ret);
