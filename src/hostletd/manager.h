/* The whole tree: the set of services, in the order of their needs. */
#pragma once

#include <systemd/sd-event.h>

#include "hostletd/spawn.h"
#include "lib/config/config.h"
#include "lib/topology/topology.h"
#include "lib/varlink/server.h"

struct service;

struct manager {
    sd_event *event;
    struct tree tree;
    struct config *config;
    struct service **services; /* needs before those that need them */
    size_t n_services;
    struct spawner *spawner;
    gid_t group; /* of those who may open the sockets where there are no access lists */
    bool told_by_group;
    struct varlink_server *server;
    int supervisor_fd;
    struct waiter *waiters;   /* calls that wait for a state (methods.c) */
    struct watcher *watchers; /* calls of Watch */
    sd_event_source *settle;
    int notification_fd; /* −1 once told, or without one */
    bool told_ready;
    bool ending;
};

/* Takes the services of 'topology', leaving it empty. */
int manager_boot(struct manager *m, struct topology *topology, struct error *e);
void manager_done(struct manager *m);
struct service *manager_find(const struct manager *m, const char *name);

/* Something changed: look, once this event is handled, at what may start, stop or end now. */
void manager_settle_later(struct manager *m);

/* Wanted, and all that it needs; no longer wanted, nor what needs it. */
void manager_want(struct manager *m, struct service *s);
void manager_unwant(struct manager *m, struct service *s);
