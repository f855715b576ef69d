/* The skeleton of every worker: arguments, configuration, sockets, jail, readiness, the loop, the end.
 *
 * A worker fills 'struct service_definition' and calls service_main(). It is started by hostletd (listening
 * socket in LISTEN_FDS, lifeline pipe, notification descriptor), or by hand, systemd, s6 or runit: then it
 * binds its own socket before the jail. It starts as root and gives up what its service.conf does not name.
 */
#pragma once

#include <systemd/sd-event.h>

#include "lib/config/config.h"
#include "lib/service/filter.h"
#include "lib/topology/topology.h"
#include "lib/varlink/server.h"

struct service_context {
    const struct service_definition *service;
    struct tree tree;
    struct config *config;
    struct service_conf *conf;
    sd_event *event;
    struct varlink_server *server;
    bool supervised;              /* started by hostletd */
    int tcp_fds[SERVICE_TCP_MAX]; /* listening, as many as conf->n_tcp, in its order */
    gid_t extra_groups[8];        /* before_jail may add groups that only this machine knows */
    size_t n_extra_groups;
    void *userdata; /* the worker's own state */
    bool ending;    /* was asked to end, and finishes what is under way */
};

struct service_definition {
    const char *name; /* its folder in svc/ */
    const struct varlink_interface *interface;
    const struct varlink_handlers *handlers; /* called with userdata = the context's userdata */
    const char *const *failpoints;           /* ends with NULL; may be NULL */
    /* The system calls that it makes, from 'start' on: SERVICE_FILTER(list) of lib/service/filter.h. NULL:
     * all of them. */
    const struct service_filter *filter;
    /* As root, before anything is given up: opens what only root can. May be NULL. */
    int (*before_jail)(struct service_context *context, struct error *e);
    /* In the jail, with the loop, before the socket is served: sets up userdata. An error of class
     * ERROR_REFUSED ends with exit 100. */
    int (*start)(struct service_context *context, struct error *e);
    /* Whether work goes on that no connection shows: an idle service on demand does not end then. May be
     * NULL. */
    bool (*busy)(void *userdata);
    /* Asked to end: finishes what is under way and calls service_exit(), soon; asked again, it ends at once.
     * NULL: there is nothing to finish. */
    void (*finish)(void *userdata);
    /* At the end of the loop: releases userdata. May be NULL. */
    void (*stop)(void *userdata);
};

/* The whole life of the process: its exit code. */
int service_main(const struct service_definition *service, int argc, char **argv);

/* Whom the directories of the service are given to, by its before_jail: the user and group that it is going
 * to be, or −1 where it stays what it is, not started by root or in a build without a jail. */
uid_t service_uid(const struct service_context *context);
gid_t service_gid(const struct service_context *context);

/* Ends the loop with an exit code, from a handler of the service. */
void service_exit(struct service_context *context, int code);
