/* Implements wall_timer.h. A time-out of poll() counts CLOCK_MONOTONIC, and would miss that the wall clock
 * was set while it waits. */
#include "inagent/wall_timer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/basic/log.h"
#include "lib/basic/util.h"

/* 'when' of a timer that must be set again, also to nothing: it stays armed after the clock was set. */
#define UNKNOWN INT64_MIN

void wall_timer_set(struct wall_timer *timer, int64_t when)
{
    if (when == timer->when)
        return;
    if (timer->fd < 0)
        timer->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec at = {0};
    if (when != WALL_TIMER_NEVER) {
        /* Zero disarms the timer, and negative times are refused; both are past. */
        at.it_value.tv_sec = (time_t)(when / (int64_t)USEC_PER_SEC);
        at.it_value.tv_nsec = (long)(when % (int64_t)USEC_PER_SEC) * 1000;
        if (when <= 0)
            at.it_value = (struct timespec){.tv_nsec = 1};
    }
    if (timer->fd < 0 ||
        timerfd_settime(timer->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL) < 0)
        log_error("cannot set a timer of the wall clock: %s; tasks with cron run late",
                  strerrordesc_np(errno));
    timer->when = when;
}

void wall_timer_read(struct wall_timer *timer)
{
    uint64_t n;
    /* ECANCELED: the clock was set. The timer is set again in both cases. */
    if (timer->fd >= 0 && (read(timer->fd, &n, sizeof n) >= 0 || errno == ECANCELED))
        timer->when = UNKNOWN;
}

void wall_timer_end(struct wall_timer *timer)
{
    timer->fd = close_fd(timer->fd);
}
