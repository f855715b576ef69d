/* What happens to a service when something happens to it: decided here, without doing anything, so that the
 * rules can be read and tested by themselves. */
#pragma once

#include "lib/api/supervisor.h"
#include "lib/loop/retry.h"

enum service_event {
    EVENT_UP,     /* wanted: at boot, by Start */
    EVENT_DOWN,   /* no longer wanted: by Stop, at the end */
    EVENT_RENEW,  /* a fresh run is wanted: Restart, a changed configuration */
    EVENT_CALLER, /* someone connected to a socket that we watch */
    EVENT_NEEDS,  /* what it needs is there (or will not be) */
    EVENT_READY,  /* it said so */
    EVENT_END,    /* its process ended */
    EVENT_TIMER,  /* the pause is over, or it took too long */
    _EVENT_MAX
};

enum service_action {
    ACTION_NONE,
    ACTION_BEGIN,    /* bind the socket; then listen, or wait for what it needs */
    ACTION_BIND,     /* the same, after a socket could not be bound */
    ACTION_WAIT,     /* for what it needs, then launch */
    ACTION_LAUNCH,   /* run the program */
    ACTION_READY,    /* note that it is */
    ACTION_RELEASE,  /* nothing runs: be down */
    ACTION_STOP,     /* ask the process to end */
    ACTION_KILL,     /* it did not end in time */
    ACTION_TOO_SLOW, /* it did not become ready in time: kill it */
    ACTION_DIED,     /* nobody asked it to end: policy_after_end() says what follows */
    ACTION_ENDED,    /* as it was asked to */
};

enum service_action policy_action(enum service_state state, enum service_event event);

/* How a run ended that nobody asked to end. */
struct run_end {
    bool exited; /* by itself, with 'code' as exit status; else by signal 'code' */
    int code;
    bool ready;          /* it had been ready … */
    uint64_t ready_usec; /* … for so long */
    bool wanted;
    bool on_demand;
    bool caller_waits; /* someone is in the backlog right now */
};

enum run_verdict {
    VERDICT_DOWN,
    VERDICT_FAILED,  /* given up until a human acts */
    VERDICT_LISTEN,  /* wait for the next caller */
    VERDICT_AGAIN,   /* at once */
    VERDICT_BACKOFF, /* after a pause */
};

enum run_verdict policy_after_end(const struct run_end *end);

/* The pauses before a service that failed is tried again. */
extern const struct retry_policy policy_retry;

/* Whether a service in this state no longer holds up those that need it: it is served, or will not be for
 * now. */
bool state_is_settled(enum service_state state);

/* What a reload does with a service: NULL for a text means that it is not there. */
enum reload_verdict { RELOAD_KEEP, RELOAD_CHANGE, RELOAD_ADD, RELOAD_REMOVE };
enum reload_verdict reload_compare(const char *old_fingerprint, const char *new_fingerprint);
