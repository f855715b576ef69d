/* Binds the listening sockets of services. */
#pragma once

#include "hostletd/service.h"
#include "hostletd/spawn.h"

/* Binds RUN/NAME.sock and the public socket, until the service is freed or the name changes, also if its path
 * does not lead to it any more, and the TCP sockets, until the service is freed, its addresses change, or it
 * is disabled. Returns a negative errno on failure. */
int service_bind(struct service *s, struct error *e);
/* Binds the Unix sockets again if a path does not lead to its socket any more, and corrects its rights. While
 * that fails, it is the reason that is shown with the service's state. Returns 0 if nothing was wrong, 1, or
 * a negative errno. */
int service_keep_bound(struct service *s, struct error *e);
/* Passes a socket that was bound again to the process, once that is ready: through its lifeline, or, if it
 * does not take sockets there, by restarting it. */
void service_hand_over(struct service *s);
void service_unbind(struct service *s);
/* Lets the users in 'peers' of service.conf open the socket, if the service has one. */
void service_admit(struct service *s);
/* Lets 'users' open any socket of hostletd. On a file system without access lists, the group hostlet can open
 * it, which is logged once. Returns 0 or a negative errno. */
int sockets_admit(struct manager *m, const char *path, const uid_t *users, size_t n_users, struct error *e);
/* Does the same for a socket to which that was done before, and logs a change. Returns 0 if nothing was
 * wrong, 1, or a negative errno. */
int sockets_restore(struct manager *m, const char *path, const uid_t *users, size_t n_users, struct error *e);
void service_unbind_tcp_unless_same(struct service *s);
/* Returns the listening sockets of the service. The caller frees *ret_names. */
struct spawn_sockets service_sockets(const struct service *s, char **ret_names);
/* Reports whether a caller waits at a Unix socket. */
bool service_caller_waits(const struct service *s);
/* Lets the next caller at a Unix socket cause an event, or not. */
void service_watch_callers(struct service *s, bool on);
