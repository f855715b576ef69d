/* Serves io.hostlet.Supervisor on RUN/supervisor.sock. */
#pragma once

#include "hostletd/manager.h"

struct service;

int methods_serve(struct manager *m, struct error *e);
void methods_done(struct manager *m);
/* Binds the socket again if its path does not lead to it any more, and corrects its rights. Returns 0 if
 * nothing was wrong, 1, or a negative errno. */
int methods_keep_bound(struct manager *m, struct error *e);
/* Lets the services that may call open the socket. It is called again whenever the set of services has
 * changed. */
void methods_admit(struct manager *m);

/* Sends the new state of a service to all watchers, and answers the calls that waited for it. */
void methods_state_changed(struct service *s);
/* Reports the removal of a service by a reload to all watchers. */
void methods_service_removed(const struct service *s);
/* Answers the calls that wait for a service which is about to be freed. */
void methods_service_gone(struct service *s);
