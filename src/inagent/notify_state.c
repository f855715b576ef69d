/* Implements notify_state.h. */
#include "inagent/notify_state.h"

#include <signal.h>

#include "lib/basic/util.h"

/* A wake-up that comes this much too late shows that inagent could not run, and neither could the
 * application: the container was paused, or the machine stood still. */
#define STOOD_STILL_USEC (1 * USEC_PER_SEC)
/* The shortest period that an application can set, so that a mistake does not end it in a loop. */
#define WATCHDOG_MIN_USEC (100 * USEC_PER_MSEC)

static uint64_t after(uint64_t now, uint64_t usec)
{
    return usec < UINT64_MAX - now ? now + usec : UINT64_MAX;
}

static void set_watchdog(struct notify_state *state, uint64_t now)
{
    bool watched = state->ready && state->watchdog_usec > 0 && !state->expired;
    state->watchdog_at = watched ? after(now, state->watchdog_usec) : UINT64_MAX;
}

void notify_state_began(struct notify_state *state, uint64_t watchdog_usec)
{
    *state = (struct notify_state)NOTIFY_STATE_INIT;
    state->runs = true;
    state->watchdog_usec = watchdog_usec;
}

bool notify_state_apply(struct notify_state *state, const struct notify_message *m, uint64_t now)
{
    bool becomes_ready = m->ready && !state->ready;
    if (m->has_status)
        memcpy(state->status, m->status, sizeof state->status);
    if (m->error != 0)
        state->error = m->error;
    if (m->extend_usec > 0)
        state->extended_until = after(now, m->extend_usec);
    if (m->has_watchdog_usec)
        state->watchdog_usec = m->watchdog_usec == 0 || m->watchdog_usec > WATCHDOG_MIN_USEC
                                   ? m->watchdog_usec
                                   : WATCHDOG_MIN_USEC;
    state->ready |= m->ready;
    state->alive |= m->watchdog == NOTIFY_WATCHDOG_ALIVE;
    if (becomes_ready || m->has_watchdog_usec || m->watchdog == NOTIFY_WATCHDOG_ALIVE)
        set_watchdog(state, now);
    if (m->watchdog == NOTIFY_WATCHDOG_TRIGGER && !state->expired) {
        state->triggered = true;
        state->watchdog_at = now;
    }
    return becomes_ready;
}

bool notify_state_expires(struct notify_state *state, uint64_t now)
{
    if (!state->runs || now < state->watchdog_at)
        return false;
    if (!state->triggered && now - state->watchdog_at > STOOD_STILL_USEC) {
        set_watchdog(state, now);
        return false;
    }
    state->expired = true;
    state->watchdog_at = UINT64_MAX;
    return true;
}

uint64_t notify_state_wakeup(const struct notify_state *state)
{
    return state->runs ? state->watchdog_at : UINT64_MAX;
}

static char *why_expired(const struct notify_state *state)
{
    double seconds = (double)state->watchdog_usec / (double)USEC_PER_SEC;
    if (state->triggered)
        return xstrdup("it requested its end with WATCHDOG=trigger");
    return xasprintf("it sent no WATCHDOG=1 for %.3g s%s", seconds,
                     state->alive ? ""
                                  : " and never before: an application that reads WATCHDOG_PID must be "
                                    "started with 'exec'");
}

char *notify_state_ended(struct notify_state *state, int *exit_code)
{
    char *reason = NULL;
    if (!state->runs)
        return NULL;
    if (state->expired) {
        reason = why_expired(state);
        *exit_code = *exit_code ?: 128 + SIGABRT;
    } else if (*exit_code == 0 && !state->ready) {
        reason = xstrdup("it exited before it sent READY=1");
        *exit_code = 1;
    } else if (*exit_code != 0 && state->error != 0) {
        reason = xasprintf("it reported '%s'", strerrordesc_np(state->error) ?: "an unknown error");
    }
    struct notify_state over = NOTIFY_STATE_INIT;
    over.ready = state->ready && *exit_code == 0;
    *state = over;
    return reason;
}
