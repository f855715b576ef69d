/* Manages the set of services, in the order of their needs. */
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
    struct service **services; /* a service comes after the services that it needs */
    size_t n_services;
    struct spawner *spawner;
    gid_t group; /* owns the sockets on a file system without access lists: its members can open them */
    bool told_by_group;
    struct varlink_server *server;
    int supervisor_fd;
    struct reload *reload;    /* in progress, or NULL */
    struct waiter *waiters;   /* calls that wait for a state of a service (methods.c) */
    struct watcher *watchers; /* calls of Watch */
    sd_event_source *settle;
    int notification_fd; /* −1 once readiness was reported, or if there is none */
    bool told_ready;
    bool ending;
};

/* Takes ownership of the services of 'topology', leaving it empty, and starts them. Returns 0 or a negative
 * errno. */
int manager_boot(struct manager *m, struct topology *topology, struct error *e);
void manager_done(struct manager *m);
/* Returns the service (borrowed), or NULL. */
struct service *manager_find(const struct manager *m, const char *name);

/* Schedules an examination of all services after the current event: which of them can start, stop or end. */
void manager_settle_later(struct manager *m);

/* Start a service and what it needs; stop a service and what needs it. */
void manager_want(struct manager *m, struct service *s);
void manager_unwant(struct manager *m, struct service *s);
