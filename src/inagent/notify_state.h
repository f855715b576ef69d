/* Keeps what the application has reported about itself: whether it is ready, its status, and when its
 * watchdog ends it.
 *
 * It uses neither processes nor clocks. Times are CLOCK_MONOTONIC in microseconds; UINT64_MAX: never. */
#pragma once

#include "inagent/notify_message.h"

struct notify_state {
    bool runs;  /* the application's process was started, and its end was not reported */
    bool ready; /* READY=1 arrived from this run; stays after a run that succeeded */
    char status[NOTIFY_STATUS_MAX + 1];
    int error;               /* an errno; 0: none was reported */
    uint64_t watchdog_usec;  /* 0: no watchdog */
    uint64_t watchdog_at;    /* when it ends the application; never before READY=1 */
    uint64_t extended_until; /* until when the application wants to have time to become ready; 0: not asked */
    bool alive;              /* a WATCHDOG=1 arrived from this run */
    bool expired;            /* the watchdog ended this run */
    bool triggered;          /* and the application asked for that */
};

#define NOTIFY_STATE_INIT                                                                                    \
    {                                                                                                        \
        .watchdog_at = UINT64_MAX                                                                            \
    }

void notify_state_began(struct notify_state *state, uint64_t watchdog_usec);

/* Applies a message of the application. Returns true if it is the first READY=1 of the run. */
bool notify_state_apply(struct notify_state *state, const struct notify_message *message, uint64_t now);

/* Reports, once, that the watchdog has expired at 'now' and that the application is to be ended. */
bool notify_state_expires(struct notify_state *state, uint64_t now);
uint64_t notify_state_wakeup(const struct notify_state *state);

/* Handles the end of the run. Returns why it failed, if it did for another reason than its exit code alone,
 * or NULL; the caller frees it. '*exit_code' becomes another number than 0 then. */
char *notify_state_ended(struct notify_state *state, int *exit_code);
