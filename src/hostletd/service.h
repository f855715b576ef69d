/* Manages one service: its state, its process, its socket. */
#pragma once

#include <sys/wait.h>

#include "hostletd/logs.h"
#include "hostletd/manager.h"
#include "hostletd/policy.h"
#include "hostletd/public_socket.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "lib/varlink/unix.h"

struct service {
    struct manager *manager;
    char *name;
    struct service_conf *conf;
    char *fingerprint; /* the configuration that its process read at start; a reload compares it */
    /* The configuration of a reload, until the old process has exited. */
    struct service_conf *next_conf;
    char *next_fingerprint;
    bool removed; /* a reload removed the service: it is freed when it is down */

    enum service_state state; /* written by service_set_state() only */
    char *reason;             /* of the state, or NULL */
    bool stopped;             /* an administrator stopped it, and not only a service that it needs */
    bool wanted;              /* derived from this by manager_derive() */
    bool uncalled;            /* the process runs once without a caller, until it exits as idle */
    bool reload_due;          /* the process is not ready yet, and gets SIGHUP then */

    pid_t pid;                         /* 0: no process */
    uint64_t started_usec, ready_usec; /* of this run; ready_usec 0: not ready yet */
    char *verdict;                     /* why hostletd killed the process, or NULL */
    char *last_exit;
    struct retry retry; /* after early exits in a row */
    int64_t restarts;

    int listen_fd;
    struct unix_file listen_file; /* of listen_fd */
    bool outdated;                /* the process listens on a socket that was bound again since */
    bool unreachable;             /* the socket's path does not lead to it, and it cannot be bound again */
    struct public_socket public;
    int tcp_fds[SERVICE_TCP_MAX]; /* −1: not bound */
    char *tcp_bound;              /* the addresses to which they are bound, or NULL */
    sd_event_source *caller;      /* watches listen_fd for callers in the state listening */
    struct varlink_server *down;  /* replies on listen_fd in the states down and failed */
    int ready_fd;
    sd_event_source *ready;
    int lifeline;       /* hostletd's end; −1: no process */
    bool takes_sockets; /* the process takes a socket that was bound again from its lifeline */
    struct timer timer;
    struct child_log *log;
};

/* Creates a service in the state down. Takes ownership of 'conf' and 'fingerprint', also on failure. Returns
 * 0 or a negative errno. */
int service_new(struct manager *m, struct service_conf *conf, char *fingerprint, struct service **ret,
                struct error *e);
void service_free(struct service *s);

/* Looks the event up in the table of policy.c and carries out the action. */
void service_event(struct service *s, enum service_event event);

/* Sets the reason that is shown with the state. Takes ownership of 'reason', which may be NULL. */
void service_set_reason(struct service *s, char *reason);

/* Handles the exit of the process, which is reaped already. */
void service_process_ended(struct service *s, const siginfo_t *info);

/* Applies the configuration of a reload: at once if no process runs, otherwise after the process has been
 * stopped. Then the service starts again. Takes ownership of 'conf' and 'fingerprint'. */
void service_adopt(struct service *s, struct service_conf *conf, char *fingerprint);

/* Returns a service that it needs and that is not wanted (borrowed), or NULL. It is stopped with that one. */
const struct service *service_stopped_need(const struct service *s);

/* Lets the process read its input again, in a reload that does not restart it. */
void service_reload(struct service *s);

/* Reports whether every service that it needs is ready, or will not be for now. */
bool service_needs_met(const struct service *s);

/* Reports whether hostlet.conf enables the service. A service that is not enabled is down with that reason,
 * and no caller can start it. */
bool service_is_enabled(const struct service *s);

/* Reports whether hostlet.conf has the service started at a call, and not before. */
bool service_is_on_demand(const struct service *s);
