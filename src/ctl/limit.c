/* Implements limit.h. A timer's signal ends the process where it blocks: in a read of its input, or a write
 * of its output. Calls end a moment earlier by time-outs of their own, and can say more. */
#include "ctl/limit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "ctl/output.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/basic/util.h"

#define GRACE_USEC (200 * USEC_PER_MSEC)

static uint64_t deadline;    /* monotonic µs; 0: no limit */
static unsigned n_parts = 1; /* see limit_divide() */
static char *limit_text;     /* "3.0 s" */
/* The message, which a signal handler prints: it may call neither malloc() nor printf(). */
static char message[512];
static volatile sig_atomic_t message_size;

static void on_alarm(int signal)
{
    (void)signal;
    (void)!write(STDERR_FILENO, message, (size_t)message_size);
    _exit(EXIT_TIMEOUT);
}

void limit_say(const char *subject, const char *what)
{
    if (deadline == 0)
        return;
    _cleanup_free_ char *text = xasprintf("%s%snot done within %s; %s", subject ?: "", subject ? ": " : "",
                                          limit_text, what),
                        *safe = format_safe(text);
    message_size = 0;
    int n = snprintf(message, sizeof message, "hostletctl: %s\n", safe);
    message_size = n < (int)sizeof message ? n : (int)sizeof message - 1;
}

void limit_begin(uint64_t usec)
{
    uint64_t at = usec + GRACE_USEC;
    const struct itimerval timer = {
        .it_value = {.tv_sec = (time_t)(at / USEC_PER_SEC), .tv_usec = (suseconds_t)(at % USEC_PER_SEC)}};
    const struct sigaction action = {.sa_handler = on_alarm};
    deadline = now_monotonic_usec() + usec;
    free(limit_text);
    limit_text = format_duration((int64_t)(usec / USEC_PER_MSEC));
    limit_say(NULL, "nothing was requested");
    sigaction(SIGALRM, &action, NULL);
    sigset_t alarm; /* which the caller may have blocked */
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

uint64_t limit_cut(uint64_t usec)
{
    if (deadline == 0)
        return usec;
    uint64_t now = now_monotonic_usec(), left = deadline > now ? (deadline - now) / n_parts : 1;
    left = left > 0 ? left : 1;
    return left < usec ? left : usec;
}

void limit_divide(unsigned parts)
{
    n_parts = parts;
}

bool limit_is_set(void)
{
    return deadline != 0;
}

bool limit_is_over(void)
{
    return deadline != 0 && now_monotonic_usec() >= deadline;
}

int limit_fail(void)
{
    fputs(message, stderr);
    return EXIT_TIMEOUT;
}
