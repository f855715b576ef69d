/* Binds the listening sockets of services. */
#pragma once

#include "hostletd/service.h"
#include "hostletd/spawn.h"

/* RUN/NAME.sock, bound until the service is freed or its name changes, and the TCP ports, bound
 * until it is freed, they are others, or it is not enabled any more. */
int service_bind(struct service *s, struct error *e);
void service_unbind(struct service *s);
/* Lets those open its socket, when it has one, whom its service.conf names now. */
void service_admit(struct service *s);
/* The same for any socket of hostletd. */
int sockets_admit(struct manager *m, const char *path, const uid_t *users, size_t n_users, struct error *e);
void service_unbind_tcp_unless_same(struct service *s);
struct spawn_sockets service_sockets(const struct service *s,
                                     char **ret_names); /* the caller frees the names */
bool service_caller_waits(const struct service *s);
