/* Manages the set of services, in the order of their needs. */
#pragma once

#include <systemd/sd-event.h>

#include "hostletd/spawn.h"
#include "lib/config/config.h"
#include "lib/loop/path_watch.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "lib/topology/topology.h"
#include "lib/varlink/server.h"
#include "lib/varlink/unix.h"

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
    struct reload *reload;            /* in progress, or NULL */
    struct unix_file supervisor_file; /* of supervisor_fd */
    struct path_watch *run_watch;     /* of RUN; NULL: it is not watched yet */
    struct timer run_check;
    uint64_t run_check_after; /* monotonic µs before which RUN is not examined again */
    struct retry run_retry;   /* examinations in a row that found something wrong */
    char *run_problem;        /* what could not be corrected, or NULL */
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

/* Examines RUN and the public sockets: makes them, the other sockets and the pid file again if they were
 * deleted or replaced, and corrects their rights. What cannot be corrected is logged, and retried after a
 * pause. */
void manager_check_run(struct manager *m);
/* Examines RUN at once, unless something was wrong there just before. */
void manager_check_run_soon(struct manager *m);

/* Names of services, borrowed from them; the array is the caller's. */
struct service_names {
    char **items;
    size_t n;
};

/* Starts a service, those that it needs, and those that were stopped with one of these and not by a request
 * of their own. Returns the others that are started. */
struct service_names manager_want(struct manager *m, struct service *s);
/* Stops a service and those that need it. Returns the others that are stopped. */
struct service_names manager_unwant(struct manager *m, struct service *s);

/* Determines anew which services are wanted, after their set or their needs changed. */
void manager_derive(struct manager *m);
/* Starts the services that are wanted and down. */
void manager_start_wanted(struct manager *m);
