/* Implements service.h: the state machine of one service. Its rules are in policy.c. */
#include "hostletd/service.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hostletd/down.h"
#include "hostletd/methods.h"
#include "hostletd/reason.h"
#include "hostletd/sockets.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

/* What a process writes into its notification descriptor when it is ready and takes sockets. */
#define TAKES_SOCKETS "sockets\n"

static enum log_level level_of(const struct service *s, enum service_state state, const char *reason)
{
    if (state == SERVICE_FAILED)
        return LOG_LEVEL_ERROR;
    if (reason && state == SERVICE_DOWN) /* from down: hostlet.conf does not enable it */
        return s->state == SERVICE_DOWN ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (reason)
        return LOG_LEVEL_WARNING;
    return state == SERVICE_READY || state == SERVICE_DOWN ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

/* Sets and logs the state. Takes ownership of 'reason', which may be NULL. hostletd serves or watches the
 * listening socket as the state demands, so that no caller waits without end. */
static void service_set_state(struct service *s, enum service_state state, char *reason)
{
    bool is_news = state != s->state || !streq_null(reason, s->reason);
    enum service_state before = s->state;
    int level = is_news ? level_of(s, state, reason) : LOG_LEVEL_DEBUG;
    s->state = state;
    free(s->reason);
    s->reason = reason;
    _cleanup_free_ char *why = reason_of(s);
    log_write(level, "%s: %s → %s%s%s", s->name, service_state_enum.values[before],
              service_state_enum.values[state], why ? ": " : "", why ?: "");
    if (state != SERVICE_LISTENING)
        service_watch_callers(s, false);
    if (state == SERVICE_DOWN || state == SERVICE_FAILED)
        service_answer_down(s);
    else
        service_stop_answering(s);
    if (state == SERVICE_LISTENING)
        service_watch_callers(s, true);
    methods_state_changed(s);
    manager_settle_later(s->manager);
}

void service_set_reason(struct service *s, char *reason)
{
    service_set_state(s, s->state, reason);
}

static void on_timer(void *userdata)
{
    service_event(userdata, EVENT_TIMER);
}

static void set_timer(struct service *s, uint64_t usec)
{
    timer_arm(&s->timer, s->manager->event, usec, on_timer, s);
}

static void close_ready(struct service *s)
{
    s->ready = sd_event_source_disable_unref(s->ready);
    s->ready_fd = close_fd(s->ready_fd);
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct service *s = userdata;
    char text[64];
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    bool ready = n > 0 && memchr(text, '\n', (size_t)n);
    if (n <= 0 || ready)
        close_ready(s);
    s->takes_sockets = ready && memmem(text, (size_t)n, TAKES_SOCKETS, strlen(TAKES_SOCKETS));
    if (ready)
        service_event(s, EVENT_READY);
    return 0;
}

/* Enters the state backoff and sets the timer for the next attempt. 'why' is borrowed. */
static void back_off(struct service *s, const char *why)
{
    set_timer(s, retry_next(&s->retry, &policy_retry));
    service_set_state(s, SERVICE_BACKOFF, xstrdup(why));
}

static void launch(struct service *s)
{
    struct error e = ERROR_INIT;
    _cleanup_free_ char *names = NULL;
    struct spawn_sockets sockets = service_sockets(s, &names);
    child_log_begin(s->log);
    int r = spawner_start(s->manager->spawner, s->conf, &sockets, child_log_fd(s->log), &s->pid, &s->ready_fd,
                          &s->lifeline, &e);
    if (r < 0) {
        back_off(s, e.message);
        return;
    }
    s->started_usec = now_monotonic_usec();
    s->ready_usec = 0;
    s->outdated = s->public.outdated = false;
    r = sd_event_add_io(s->manager->event, &s->ready, s->ready_fd, EPOLLIN, on_ready, s);
    if (r < 0)
        log_error("%s: its readiness cannot be watched: %s", s->name, strerrordesc_np(-r));
    set_timer(s, s->conf->ready_timeout_usec);
    service_set_state(s, SERVICE_STARTING, NULL);
}

const struct service *service_stopped_need(const struct service *s)
{
    for (size_t i = 0; i < s->conf->n_needs; i++) {
        const struct service *need = manager_find(s->manager, s->conf->needs[i]);
        if (need && !need->wanted)
            return need;
    }
    return NULL;
}

/* Enters the state down. If the service was stopped with another one, that is the reason. */
static void set_down(struct service *s)
{
    const struct service *need = s->stopped || s->manager->ending ? NULL : service_stopped_need(s);
    service_set_state(s, SERVICE_DOWN, need ? xasprintf("it needs %s, which is stopped", need->name) : NULL);
}

bool service_needs_met(const struct service *s)
{
    for (size_t i = 0; i < s->conf->n_needs; i++) {
        const struct service *need = manager_find(s->manager, s->conf->needs[i]);
        if (need && !state_is_settled(need->state))
            return false;
    }
    return true;
}

/* Enters the state waiting. Takes ownership of 'reason' (why the previous run ended, or NULL). */
static void wait_for_needs(struct service *s, char *reason)
{
    service_set_state(s, SERVICE_WAITING, reason);
    if (service_needs_met(s))
        service_event(s, EVENT_NEEDS);
}

static void listen_or_wait(struct service *s, char *reason)
{
    if (service_is_on_demand(s) && !s->uncalled)
        service_set_state(s, SERVICE_LISTENING, reason);
    else
        wait_for_needs(s, reason);
}

bool service_is_enabled(const struct service *s)
{
    return service_conf_enabled(s->conf, s->manager->config);
}

bool service_is_on_demand(const struct service *s)
{
    return service_conf_start(s->conf, s->manager->config) == START_DEMAND;
}

/* Enters the state failed. If the error can pass, the timer starts the next attempt: any local user can have
 * bound the port and may release it, and no administrator has to act then. */
static void cannot_bind(struct service *s, const struct error *e)
{
    if (e->class == ERROR_REFUSED) {
        service_set_state(s, SERVICE_FAILED, xstrdup(e->message));
        return;
    }
    set_timer(s, retry_next(&s->retry, &policy_retry));
    service_set_state(s, SERVICE_FAILED, xstrdup(e->message));
}

static void bring_up(struct service *s)
{
    struct error e = ERROR_INIT;
    if (service_bind(s, &e) < 0) {
        cannot_bind(s, &e);
        return;
    }
    s->retry.failures = 0;
    if (!service_is_enabled(s))
        service_set_state(s, SERVICE_DOWN, xasprintf("not enabled (%s)", s->conf->enabled));
    else
        listen_or_wait(s, NULL);
}

static void begin(struct service *s)
{
    timer_stop(&s->timer);
    s->retry.failures = 0;
    bring_up(s);
}

/* Returns why the run ended: hostletd's own reason, or the exit status with the last line of the log. The
 * caller frees it. */
static char *describe_end(const struct service *s)
{
    if (s->verdict)
        return xstrdup(s->verdict);
    const char *last = child_log_last(s->log);
    return *last ? xasprintf("%s: %s", s->last_exit, last) : xstrdup(s->last_exit);
}

static void died(struct service *s, const siginfo_t *info)
{
    uint64_t lasted = s->ready_usec ? now_monotonic_usec() - s->ready_usec : 0;
    struct run_end end = {.exited = info->si_code == CLD_EXITED,
                          .code = info->si_status,
                          .ready = s->ready_usec != 0,
                          .ready_usec = lasted,
                          .wanted = s->wanted,
                          .on_demand = service_is_on_demand(s),
                          .caller_waits = service_caller_waits(s)};
    enum run_verdict verdict = policy_after_end(&end);
    bool idle = end.on_demand && end.exited && end.code == EXIT_OK && verdict == VERDICT_LISTEN;
    if (idle)
        s->uncalled = false;
    if (!idle && verdict != VERDICT_DOWN)
        s->restarts++;
    if (verdict == VERDICT_AGAIN || verdict == VERDICT_LISTEN)
        s->retry.failures = 0;
    _cleanup_free_ char *why = describe_end(s);
    switch (verdict) {
    case VERDICT_DOWN:
        set_down(s);
        break;
    case VERDICT_FAILED:
        service_set_state(s, SERVICE_FAILED, TAKE_PTR(why));
        break;
    case VERDICT_LISTEN:
        listen_or_wait(s, idle ? NULL : TAKE_PTR(why));
        break;
    case VERDICT_AGAIN:
        wait_for_needs(s, TAKE_PTR(why));
        break;
    case VERDICT_BACKOFF:
        back_off(s, why);
        break;
    }
}

/* Replaces the configuration by the one of a reload. */
static void swap_conf(struct service *s)
{
    if (!s->next_conf)
        return;
    if (!streq_null(s->conf->socket, s->next_conf->socket) ||
        !streq_null(s->conf->public_socket, s->next_conf->public_socket))
        service_unbind(s);
    service_conf_free(s->conf);
    free(s->fingerprint);
    s->conf = TAKE_PTR(s->next_conf);
    s->fingerprint = TAKE_PTR(s->next_fingerprint);
    service_admit(s);
    methods_admit(s->manager);
    service_unbind_tcp_unless_same(s);
    manager_derive(s->manager); /* it can need others now */
}

static void ended(struct service *s)
{
    swap_conf(s);
    if (s->wanted)
        begin(s);
    else
        set_down(s);
    manager_start_wanted(s->manager);
}

static void stop(struct service *s)
{
    kill(s->pid, SIGTERM);
    set_timer(s, s->conf->stop_timeout_usec);
    service_set_state(s, SERVICE_STOPPING, NULL);
}

void service_reload(struct service *s)
{
    /* Before it is ready, a process may not handle the signal yet, and may have read a part of its input. */
    s->reload_due = s->conf->reload && s->pid > 0 && s->state != SERVICE_READY;
    if (s->conf->reload && s->state == SERVICE_READY)
        kill(s->pid, SIGHUP);
}

static void note_ready(struct service *s)
{
    timer_stop(&s->timer);
    s->ready_usec = now_monotonic_usec();
    service_set_state(s, SERVICE_READY, NULL);
    service_hand_over(s);
    if (s->reload_due)
        service_reload(s);
}

static void kill_slow(struct service *s)
{
    s->verdict = xasprintf("not ready within %g s: killed",
                           (double)s->conf->ready_timeout_usec / (double)USEC_PER_SEC);
    kill(-s->pid, SIGKILL);
}

static void act(struct service *s, enum service_event event, const siginfo_t *info)
{
    switch (policy_action(s->state, event)) {
    case ACTION_NONE:
        break;
    case ACTION_BEGIN:
        begin(s);
        break;
    case ACTION_BIND:
        bring_up(s);
        break;
    case ACTION_WAIT:
        if (event == EVENT_CALLER)
            wait_for_needs(s, NULL);
        else
            listen_or_wait(s, NULL);
        break;
    case ACTION_LAUNCH:
        launch(s);
        break;
    case ACTION_READY:
        note_ready(s);
        break;
    case ACTION_RELEASE:
        timer_stop(&s->timer);
        set_down(s);
        break;
    case ACTION_STOP:
        stop(s);
        break;
    case ACTION_KILL:
        log_warning("%s: does not end within %g s: killed", s->name,
                    (double)s->conf->stop_timeout_usec / (double)USEC_PER_SEC);
        kill(-s->pid, SIGKILL);
        break;
    case ACTION_TOO_SLOW:
        kill_slow(s);
        break;
    case ACTION_DIED:
        died(s, info);
        break;
    case ACTION_ENDED:
        ended(s);
        break;
    }
}

void service_event(struct service *s, enum service_event event)
{
    act(s, event, NULL);
}

void service_process_ended(struct service *s, const siginfo_t *info)
{
    s->pid = 0;
    s->lifeline = close_fd(s->lifeline);
    close_ready(s);
    timer_stop(&s->timer);
    child_log_end(s->log);
    free(s->last_exit);
    const char *signal_name = info->si_code == CLD_EXITED ? NULL : sigabbrev_np(info->si_status);
    s->last_exit = signal_name
                       ? xasprintf("signal %s", signal_name)
                       : xasprintf("%s %d", info->si_code == CLD_EXITED ? "exit" : "signal", info->si_status);
    act(s, EVENT_END, info);
    free(s->verdict);
    s->verdict = NULL;
}

void service_adopt(struct service *s, struct service_conf *conf, char *fingerprint)
{
    service_conf_free(s->next_conf);
    free(s->next_fingerprint);
    s->next_conf = conf;
    s->next_fingerprint = fingerprint;
    if (s->pid) {
        act(s, EVENT_RENEW, NULL);
        return;
    }
    swap_conf(s);
    struct error e = ERROR_INIT;
    if (s->wanted)
        begin(s);
    else if (service_bind(s, &e) < 0)
        service_set_state(s, SERVICE_FAILED, xstrdup(e.message));
    else
        service_answer_down(s);
}

int service_new(struct manager *m, struct service_conf *conf, char *fingerprint, struct service **ret,
                struct error *e)
{
    struct service *s = xcalloc(1, sizeof *s);
    *s = (struct service){.manager = m,
                          .name = xstrdup(conf->name),
                          .conf = conf,
                          .fingerprint = fingerprint,
                          .listen_fd = -1,
                          .public = {.fd = -1},
                          .tcp_fds = {-1, -1, -1, -1},
                          .ready_fd = -1,
                          .lifeline = -1};
    static_assert(SERVICE_TCP_MAX == 4, "as many as above");
    int r = child_log_new(m->event, s->name, &s->log, e);
    if (r < 0) {
        service_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void service_free(struct service *s)
{
    if (!s)
        return;
    methods_service_gone(s);
    service_unbind(s);
    close_ready(s);
    close_fd(s->lifeline);
    timer_stop(&s->timer);
    child_log_free(s->log);
    service_conf_free(s->conf);
    service_conf_free(s->next_conf);
    free(s->fingerprint);
    free(s->next_fingerprint);
    free(s->reason);
    free(s->verdict);
    free(s->last_exit);
    free(s->name);
    free(s);
}
