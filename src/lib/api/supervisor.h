/* Declares the interface of hostletd, the supervisor. */
#pragma once

#include "lib/varlink/interface.h"

extern const struct varlink_interface supervisor_interface;

enum service_state {
    SERVICE_DOWN,      /* stopped on request */
    SERVICE_LISTENING, /* on demand: hostletd waits for a connection at the service's socket */
    SERVICE_WAITING,   /* for the services that it needs */
    SERVICE_STARTING,  /* the process runs and is not ready yet */
    SERVICE_READY,
    SERVICE_STOPPING,
    SERVICE_BACKOFF, /* exited without a request; restarted after a pause */
    /* The process exited with 100 and is not restarted without a request, or the socket cannot be bound,
       which is retried. */
    SERVICE_FAILED,
    _SERVICE_STATE_MAX
};
extern const struct schema_enum service_state_enum;

struct supervisor_service {
    char *name, *description;
    int state;           /* enum service_state */
    char *reason;        /* why the state is backoff or failed */
    int64_t pid;         /* 0: none */
    int64_t uptime_msec; /* since the process was started */
    int64_t restarts;    /* exits without a request */
    char *last_exit;     /* "exit 1", "signal KILL"; NULL: the process has never exited */
    int64_t memory;      /* proportional set size in bytes; 0: unknown */
    bool on_demand;
    bool disabled; /* by hostlet.conf */
};
extern const struct schema_struct supervisor_service_schema;

struct supervisor_list_out {
    struct supervisor_service *service; /* NULL: the list ends */
};
struct supervisor_watch_out {
    struct supervisor_service *service;
    bool gone;     /* the service.conf was removed: this is the last reply for the service */
    bool complete; /* the snapshot ends */
};
struct supervisor_name_in {
    char *name;
};
struct supervisor_order_out {
    char **also; /* names of the other services that are started or stopped */
    size_t n_also;
};
