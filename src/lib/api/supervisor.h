/* The interface of hostletd, the supervisor. */
#pragma once

#include "lib/varlink/interface.h"

extern const struct varlink_interface supervisor_interface;

enum service_state {
    SERVICE_DOWN,      /* stopped on request */
    SERVICE_LISTENING, /* on demand: its socket waits for a caller */
    SERVICE_WAITING,   /* for the services that it needs */
    SERVICE_STARTING,  /* runs, not ready yet */
    SERVICE_READY,
    SERVICE_STOPPING,
    SERVICE_BACKOFF, /* died; started again after a pause */
    SERVICE_FAILED,  /* given up: exit 100, or its socket cannot be bound (tried again) */
    _SERVICE_STATE_MAX
};
extern const struct schema_enum service_state_enum;

struct supervisor_service {
    char *name, *description;
    int state;           /* enum service_state */
    char *reason;        /* of backoff and failed */
    int64_t pid;         /* 0: none */
    int64_t uptime_msec; /* since it was started */
    int64_t restarts;    /* deaths that were not asked for */
    char *last_exit;     /* "exit 1", "signal KILL"; NULL: never ended */
    int64_t memory;      /* PSS in bytes; 0: unknown */
    bool on_demand;
    bool disabled; /* hostlet.conf does not let it run */
};
extern const struct schema_struct supervisor_service_schema;

struct supervisor_list_out {
    struct supervisor_service *service; /* NULL: the end of the list */
};
struct supervisor_watch_out {
    struct supervisor_service *service;
    bool gone;     /* its service.conf went: this is the last of it */
    bool complete; /* all was told */
};
struct supervisor_name_in {
    char *name;
};
