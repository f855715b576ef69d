/* Decides what hostletd does with a service after an event, without doing it, so that the rules can be read
 * and tested separately. */
#pragma once

#include "lib/api/supervisor.h"
#include "lib/loop/retry.h"

enum service_event {
    EVENT_UP,     /* the service is wanted: at boot, by Start */
    EVENT_DOWN,   /* the service is no longer wanted: by Stop, at the end */
    EVENT_RENEW,  /* a new process is wanted: by Restart, after a configuration change */
    EVENT_CALLER, /* a caller connected to a watched socket */
    EVENT_NEEDS,  /* the services that it needs are ready, or will not be for now */
    EVENT_READY,  /* the process reported that it is ready */
    EVENT_END,    /* the process exited */
    EVENT_TIMER,  /* the pause is over, or a timeout expired */
    _EVENT_MAX
};

enum service_action {
    ACTION_NONE,
    ACTION_BEGIN,    /* bind the socket; then listen, or wait for needed services */
    ACTION_BIND,     /* as ACTION_BEGIN, after a socket could not be bound */
    ACTION_WAIT,     /* wait for needed services, then launch */
    ACTION_LAUNCH,   /* run the program */
    ACTION_READY,    /* record that the service is ready */
    ACTION_RELEASE,  /* no process runs: set the state down */
    ACTION_STOP,     /* send SIGTERM to the process */
    ACTION_KILL,     /* kill the process, which did not exit in time */
    ACTION_TOO_SLOW, /* kill the process, which was not ready in time */
    ACTION_DIED,     /* an unrequested exit: policy_after_end() decides what follows */
    ACTION_ENDED,    /* a requested exit */
};

enum service_action policy_action(enum service_state state, enum service_event event);

/* How a run ended that was not asked to end. */
struct run_end {
    bool exited; /* it exited with status 'code'; false: a signal 'code' killed it */
    int code;
    bool ready;          /* it had reported that it was ready */
    uint64_t ready_usec; /* microseconds since it reported that */
    bool wanted;
    bool on_demand;
    bool caller_waits; /* a caller is in the socket's backlog */
};

enum run_verdict {
    VERDICT_DOWN,
    VERDICT_FAILED,  /* not restarted until an administrator acts */
    VERDICT_LISTEN,  /* wait for the next caller */
    VERDICT_AGAIN,   /* restart at once */
    VERDICT_BACKOFF, /* restart after a pause */
};

enum run_verdict policy_after_end(const struct run_end *end);

/* The pauses before a service that exited too early is restarted. */
extern const struct retry_policy policy_retry;

/* Reports whether services that need a service in this state can start: it is ready, or will not be for
 * now. */
bool state_is_settled(enum service_state state);

/* What a reload does with a service. A fingerprint of NULL means that the service does not exist. */
enum reload_verdict { RELOAD_KEEP, RELOAD_CHANGE, RELOAD_ADD, RELOAD_REMOVE };
enum reload_verdict reload_compare(const char *old_fingerprint, const char *new_fingerprint);
