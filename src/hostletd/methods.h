/* io.hostlet.Supervisor on RUN/supervisor.sock. */
#pragma once

#include "hostletd/manager.h"

struct service;

/* Whether the services' rights on this interface ('supervisor' in service.conf) are such that it has. */
int methods_check(const struct topology *topology, struct error *e);

int methods_serve(struct manager *m, struct error *e);
void methods_done(struct manager *m);
/* Lets those open its socket who may call: again whenever the set of services changed. */
void methods_admit(struct manager *m);

/* A service is in another state: answers those who waited for it, and tells those who watch. */
void methods_state_changed(struct service *s);
/* A reload took the service away: tells those who watch. */
void methods_service_removed(const struct service *s);
/* It is about to be freed. */
void methods_service_gone(struct service *s);
