/* Implements what is common to all workers: arguments, configuration, sockets, jail, readiness, event loop,
 * exit.
 *
 * A worker fills 'struct service_definition' and calls service_main(). hostletd starts it with the listening
 * sockets (LISTEN_FDS), the lifeline and a notification descriptor. An administrator, systemd, s6 or runit
 * can start it without them: then it binds its own sockets before it enters the jail. It starts as root and
 * drops every right that its service.conf does not name. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/config/config.h"
#include "lib/loop/wall_guard.h"
#include "lib/service/filter.h"
#include "lib/topology/topology.h"
#include "lib/varlink/server.h"

struct service_context {
    const struct service_definition *service;
    struct tree tree;
    struct config *config;
    struct service_conf *conf;
    sd_event *event;
    struct clock clock;     /* the machine's */
    struct wall_guard wall; /* decides whether durable objects may expire */
    struct varlink_server *server;
    bool supervised; /* hostletd started the process */
    int public_fd;   /* the listening public socket; −1: the service has none */
    /* Listening TCP sockets, in the order of 'conf'; −1: hostlet.conf has the port not listened on. */
    int tcp_fds[SERVICE_TCP_MAX];
    /* Groups that before_jail() adds, whose ids differ between machines. */
    gid_t extra_groups[8];
    size_t n_extra_groups;
    void *userdata; /* the worker's own state */
    bool ending;    /* SIGTERM or SIGINT was received, and finish() was called */
};

struct service_definition {
    const char *name; /* its folder in svc/ */
    const struct varlink_interface *interface;
    const struct varlink_handlers *handlers; /* their userdata is the context's userdata */
    const char *const *failpoints;           /* ends with NULL; may be NULL */
    /* The system calls that the worker makes from 'start' on: SERVICE_FILTER(list) of lib/service/filter.h.
     * NULL: all calls are allowed. */
    const struct service_filter *filter;
    /* Judge the configuration when the program is run with --check: what 'before_jail' and 'start' would
     * refuse in hostlet.conf, and the files that it names. The first runs as root, the second in the jail, so
     * that it reads a file as the service itself does. Both change nothing. They return 0, or a negative
     * errno (refused). May be NULL. */
    int (*check_as_root)(struct service_context *context, struct error *e);
    int (*check)(struct service_context *context, struct error *e);
    /* Runs as root, before rights are dropped: opens what only root can open. May be NULL. */
    int (*before_jail)(struct service_context *context, struct error *e);
    /* Runs in the jail, with the event loop, before the socket is served: sets userdata. After an error of
     * class ERROR_REFUSED the process exits with 100. */
    int (*start)(struct service_context *context, struct error *e);
    /* Reports whether work is in progress that no connection shows. A service on demand does not exit as idle
     * while it returns true. May be NULL. */
    bool (*busy)(void *userdata);
    /* Runs when the public socket was bound again: 'public_fd' of the context is the new one, and the old one
     * is closed when the function returns. NULL: the process ends then. */
    void (*public_moved)(void *userdata);
    /* Runs at SIGHUP: reads again what is read at the start beside the configuration. hostletd sends the
     * signal at each reload if service.conf has 'reload = yes'. May be NULL. */
    void (*reload)(void *userdata);
    /* Runs at the first SIGTERM or SIGINT: completes the work in progress and calls service_exit() soon. At a
     * second signal the process exits without waiting. NULL: the process exits at the first signal. */
    void (*finish)(void *userdata);
    /* Runs after the event loop: releases userdata. May be NULL. */
    void (*stop)(void *userdata);
};

/* Runs the service and returns the exit code of the process. */
int service_main(const struct service_definition *service, int argc, char **argv);

/* Return the user and the group that the process gets in its jail, for before_jail() to set the owner of
 * directories. Return −1 if the process keeps its user: it was not started by root, or the build has no
 * jail. */
uid_t service_uid(const struct service_context *context);
gid_t service_gid(const struct service_context *context);

/* Ends the event loop; the process exits with 'code'. */
void service_exit(struct service_context *context, int code);
