/* One service: its state, its process, its socket. */
#pragma once

#include <sys/wait.h>

#include "hostletd/logs.h"
#include "hostletd/manager.h"
#include "hostletd/policy.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"

struct service {
    struct manager *manager;
    char *name;
    struct service_conf *conf;
    char *fingerprint; /* of what its process read at its start; a reload compares it */
    /* What a reload brought, until the old process is gone. */
    struct service_conf *next_conf;
    char *next_fingerprint;
    bool removed; /* a reload took it away: freed once it is down */

    enum service_state state; /* written by service_set_state() alone */
    char *reason;             /* of the state, or NULL */
    bool wanted;
    bool uncalled; /* is to run once without a caller, until it has ended by itself */

    pid_t pid;                         /* 0: none */
    uint64_t started_usec, ready_usec; /* of this run; ready_usec 0: not ready yet */
    char *verdict;                     /* why we killed it, or NULL */
    char *last_exit;
    struct retry retry; /* after bad runs in a row */
    int64_t restarts;

    int listen_fd;
    int tcp_fds[SERVICE_TCP_MAX]; /* −1 where not bound */
    char *tcp_bound;              /* the addresses they are bound to, or NULL */
    sd_event_source *caller;      /* on listen_fd, while it waits on demand */
    struct varlink_server *down;  /* on listen_fd, while nobody else will answer */
    int ready_fd;
    sd_event_source *ready;
    struct timer timer;
    struct child_log *log;
};

/* Takes conf and fingerprint. The service is down. */
int service_new(struct manager *m, struct service_conf *conf, char *fingerprint, struct service **ret,
                struct error *e);
void service_free(struct service *s);

/* Looks the event up in the table of policy.c and does what stands there. */
void service_event(struct service *s, enum service_event event);

/* Its process ended; it is reaped. */
void service_process_ended(struct service *s, const siginfo_t *info);

/* Takes the configuration that a reload brought, now or when its process ended, and begins a fresh run. */
void service_adopt(struct service *s, struct service_conf *conf, char *fingerprint);

/* Whether nothing that it needs is on its way still. */
bool service_needs_met(const struct service *s);

/* What of the configuration makes a service's process what it is. The caller frees. */
char *service_make_fingerprint(const struct service_conf *conf, const struct config *config);

/* Whether hostlet.conf lets it run; what is not enabled is down, says why, and is not started by anybody. */
bool service_is_enabled(const struct service *s);
