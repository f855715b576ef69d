/* Implements policy.h. */
#include "hostletd/policy.h"

#include "lib/basic/log.h"

/* A run that was ready for this long counts as healthy: the service is restarted at once. */
#define HEALTHY_USEC (1 * USEC_PER_SEC)

/* A missing entry is ACTION_NONE: the event arrived too late or the state is reached already. */
static const enum service_action actions[_SERVICE_STATE_MAX][_EVENT_MAX] = {
    [SERVICE_DOWN] = {[EVENT_UP] = ACTION_BEGIN, [EVENT_RENEW] = ACTION_BEGIN},
    [SERVICE_LISTENING] = {[EVENT_CALLER] = ACTION_WAIT, [EVENT_DOWN] = ACTION_RELEASE},
    [SERVICE_WAITING] = {[EVENT_NEEDS] = ACTION_LAUNCH, [EVENT_DOWN] = ACTION_RELEASE},
    [SERVICE_STARTING] = {[EVENT_READY] = ACTION_READY,
                          [EVENT_END] = ACTION_DIED,
                          [EVENT_TIMER] = ACTION_TOO_SLOW,
                          [EVENT_DOWN] = ACTION_STOP,
                          [EVENT_RENEW] = ACTION_STOP},
    [SERVICE_READY] = {[EVENT_END] = ACTION_DIED, [EVENT_DOWN] = ACTION_STOP, [EVENT_RENEW] = ACTION_STOP},
    [SERVICE_STOPPING] = {[EVENT_END] = ACTION_ENDED, [EVENT_TIMER] = ACTION_KILL},
    [SERVICE_BACKOFF] = {[EVENT_TIMER] = ACTION_WAIT,
                         [EVENT_UP] = ACTION_BEGIN,
                         [EVENT_RENEW] = ACTION_BEGIN,
                         [EVENT_DOWN] = ACTION_RELEASE},
    [SERVICE_FAILED] = {[EVENT_UP] = ACTION_BEGIN,
                        [EVENT_RENEW] = ACTION_BEGIN,
                        [EVENT_TIMER] = ACTION_BIND,
                        [EVENT_DOWN] = ACTION_RELEASE},
};

enum service_action policy_action(enum service_state state, enum service_event event)
{
    return actions[state][event];
}

enum run_verdict policy_after_end(const struct run_end *end)
{
    bool healthy = end->ready && end->ready_usec >= HEALTHY_USEC;
    if (!end->wanted)
        return VERDICT_DOWN;
    if (end->exited && end->code == EXIT_PERMANENT)
        return VERDICT_FAILED;
    /* The process exited because it was idle. If it exits early while a caller waits, it has not served that
     * caller, and an immediate restart could repeat endlessly. */
    if (end->on_demand && end->exited && end->code == EXIT_OK && end->ready &&
        (healthy || !end->caller_waits))
        return VERDICT_LISTEN;
    if (healthy)
        return end->on_demand ? VERDICT_LISTEN : VERDICT_AGAIN;
    return VERDICT_BACKOFF;
}

/* lib/loop/retry.h describes how the pause doubles between these two and how it is changed at random. */
const struct retry_policy policy_retry = {100 * USEC_PER_MSEC, 60 * USEC_PER_SEC};

bool state_is_settled(enum service_state state)
{
    return state != SERVICE_WAITING && state != SERVICE_STARTING && state != SERVICE_STOPPING;
}

enum reload_verdict reload_compare(const char *old_fingerprint, const char *new_fingerprint)
{
    if (!old_fingerprint || !new_fingerprint)
        return new_fingerprint ? RELOAD_ADD : RELOAD_REMOVE;
    return streq(old_fingerprint, new_fingerprint) ? RELOAD_KEEP : RELOAD_CHANGE;
}
