/* Implements manager.h. */
#include "hostletd/manager.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "hostletd/methods.h"
#include "hostletd/packages.h"
#include "hostletd/reload.h"
#include "hostletd/service.h"
#include "hostletd/setup.h"
#include "hostletd/sockets.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"

#define RUN_PAUSE_MIN     (20 * USEC_PER_MSEC)
#define RUN_PAUSE_MAX_SEC 10

/* The pauses before RUN is examined again: after something was corrected there, so that hostletd does not
 * spend all its time on it, and after something could not be corrected. */
static const struct retry_policy run_corrected = {RUN_PAUSE_MIN, 500 * USEC_PER_MSEC},
                                 run_failed = {100 * USEC_PER_MSEC, RUN_PAUSE_MAX_SEC *USEC_PER_SEC};

struct service *manager_find(const struct manager *m, const char *name)
{
    for (size_t i = 0; i < m->n_services; i++)
        if (streq(m->services[i]->name, name))
            return m->services[i];
    return NULL;
}

static bool needs(const struct service *s, const struct service *other)
{
    for (size_t i = 0; i < s->conf->n_needs; i++)
        if (streq(s->conf->needs[i], other->name))
            return true;
    return false;
}

/* Reports whether a service that needs this one still runs. */
static bool is_needed(const struct manager *m, const struct service *s)
{
    for (size_t i = 0; i < m->n_services; i++)
        if (m->services[i]->pid && needs(m->services[i], s))
            return true;
    return false;
}

/* Determines which services are wanted. Returns the names (borrowed) of those, except 'but' (NULL: none) and
 * those that are not enabled, for which that changed; the caller frees the array. */
static struct service_names derive(struct manager *m, const struct service *but)
{
    struct service_names changed = {.items = xcalloc(m->n_services + 1, sizeof *changed.items)};
    /* A service follows those that it needs. */
    for (size_t i = 0; i < m->n_services; i++) {
        struct service *s = m->services[i];
        bool wanted = !s->stopped && !s->removed && !m->ending && !service_stopped_need(s);
        if (wanted != s->wanted && s != but && service_is_enabled(s))
            changed.items[changed.n++] = s->name;
        s->wanted = wanted;
    }
    return changed;
}

void manager_derive(struct manager *m)
{
    free(derive(m, NULL).items);
}

void manager_start_wanted(struct manager *m)
{
    for (size_t i = 0; i < m->n_services; i++) {
        struct service *s = m->services[i];
        /* A service that is not enabled stays down, with its socket bound. */
        if (s->wanted && s->state == SERVICE_DOWN && (service_is_enabled(s) || s->listen_fd < 0))
            service_event(s, EVENT_UP);
    }
}

/* Ends the stop of a service and of those that it needs. */
static void unstop(struct manager *m, struct service *s)
{
    s->stopped = false;
    for (size_t i = 0; i < s->conf->n_needs; i++) {
        struct service *need = manager_find(m, s->conf->needs[i]);
        if (need)
            unstop(m, need);
    }
}

struct service_names manager_want(struct manager *m, struct service *s)
{
    unstop(m, s);
    struct service_names also = derive(m, s);
    manager_start_wanted(m);
    service_event(s, EVENT_UP); /* also if it has failed, or waits after a failure */
    return also;
}

struct service_names manager_unwant(struct manager *m, struct service *s)
{
    s->stopped = true;
    struct service_names also = derive(m, s);
    /* It may be down with a service that it needs, and does not wait for that any more. */
    if (s->state == SERVICE_DOWN && service_is_enabled(s))
        service_set_reason(s, NULL);
    manager_settle_later(m);
    return also;
}

/* Stops all services in the reverse order of their needs, then ends the event loop. */
static void manager_end(struct manager *m)
{
    if (m->ending)
        return;
    log_info("stopping; containers are left running");
    sd_notify(0, "STOPPING=1");
    m->ending = true;
    reload_cancel(m);
    manager_derive(m);
    manager_settle_later(m);
}

static void remove_gone(struct manager *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n_services; i++) {
        struct service *s = m->services[i];
        if (s->removed && s->state == SERVICE_DOWN) {
            methods_service_removed(s);
            service_free(s);
        } else {
            m->services[kept++] = s;
        }
    }
    if (kept < m->n_services) {
        m->n_services = kept;
        methods_admit(m);
    }
}

static void tell_ready(struct manager *m)
{
    m->told_ready = true;
    if (failpoint("boot.before_ready") < 0)
        return;
    log_info("ready");
    sd_notify(0, "READY=1");
    if (m->notification_fd >= 0 && write(m->notification_fd, "\n", 1) < 0)
        log_debug("cannot report readiness: %s", strerrordesc_np(errno));
    m->notification_fd = close_fd(m->notification_fd);
}

/* Examines all services after an event: stops those that are no longer wanted and not needed, and starts
 * those whose needs are met. The effects of one service's change on others are found here and not where the
 * change happens. */
static int on_settle(sd_event_source *source, void *userdata)
{
    (void)source;
    struct manager *m = userdata;
    bool all_settled = true, all_down = true;
    for (size_t i = m->n_services; i-- > 0;) {
        struct service *s = m->services[i];
        if (!s->wanted && s->state != SERVICE_DOWN && s->state != SERVICE_STOPPING && !is_needed(m, s))
            service_event(s, EVENT_DOWN);
    }
    for (size_t i = 0; i < m->n_services; i++) {
        struct service *s = m->services[i];
        if (s->state == SERVICE_WAITING && service_needs_met(s))
            service_event(s, EVENT_NEEDS);
        all_settled &= state_is_settled(s->state);
        all_down &= s->state == SERVICE_DOWN;
    }
    remove_gone(m);
    if (all_settled && !m->told_ready && !m->ending)
        tell_ready(m);
    if (all_down && m->ending)
        sd_event_exit(m->event, EXIT_OK);
    return 0;
}

void manager_settle_later(struct manager *m)
{
    if (m->settle)
        sd_event_source_set_enabled(m->settle, SD_EVENT_ONESHOT);
}

static struct service *find_process(const struct manager *m, pid_t pid)
{
    for (size_t i = 0; i < m->n_services; i++)
        if (m->services[i]->pid == pid)
            return m->services[i];
    return NULL;
}

/* Reaps every child that has exited, because one SIGCHLD can stand for several. Adopted orphans of services
 * are among them. */
static int on_child(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    struct manager *m = userdata;
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return 0;
        struct service *s = find_process(m, info.si_pid);
        /* As long as the process is not reaped, its process group id cannot be reused: the signal can only
         * reach its own helpers. */
        if (s)
            kill(-info.si_pid, SIGKILL);
        if (waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG) < 0)
            return 0;
        if (s)
            service_process_ended(s, &info);
        else
            reload_process_ended(m, &info);
    }
}

static int on_end_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    manager_end(userdata);
    return 0;
}

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    struct manager *m = userdata;
    if (!m->ending)
        manager_reload(m, NULL);
    return 0;
}

static int watch_signals(struct manager *m)
{
    int r = sd_event_add_signal(m->event, NULL, SIGCHLD, on_child, m);
    if (r >= 0)
        r = sd_event_add_signal(m->event, NULL, SIGTERM, on_end_signal, m);
    if (r >= 0)
        r = sd_event_add_signal(m->event, NULL, SIGINT, on_end_signal, m);
    if (r >= 0)
        r = sd_event_add_signal(m->event, NULL, SIGHUP, on_reload_signal, m);
    if (r >= 0)
        r = sd_event_add_defer(m->event, &m->settle, on_settle, m);
    return r;
}

static void on_run_changed(void *userdata)
{
    manager_check_run_soon(userdata);
}

/* Watches RUN. If that fails, RUN is examined after each pause before the next attempt. */
static int watch_run(struct manager *m, struct error *e)
{
    return m->run_watch ? path_watch_renew(m->run_watch, e)
                        : path_watch_new(m->event, m->tree.run, on_run_changed, m, &m->run_watch, e);
}

/* Makes and corrects everything in RUN. Returns 0 if nothing was wrong, 1 if all is corrected, or the last
 * error. */
static int keep_run(struct manager *m, struct error *e)
{
    struct error unwatched = ERROR_INIT;
    int corrected = 0, r = setup_socket_directories(&m->tree, m->group, e),
        failure = watch_run(m, &unwatched);
    if (r < 0)
        return r;
    if (failure < 0)
        *e = unwatched;
    for (size_t i = 0; i < m->n_services + 2; i++) {
        r = i == 0   ? setup_pid_file(&m->tree, e)
            : i == 1 ? methods_keep_bound(m, e)
                     : service_keep_bound(m->services[i - 2], e);
        failure = r < 0 ? r : failure;
        corrected |= r > 0;
    }
    return failure < 0 ? failure : corrected;
}

static void on_run_check(void *userdata)
{
    manager_check_run(userdata);
}

void manager_check_run(struct manager *m)
{
    struct error e = ERROR_INIT;
    if (m->ending)
        return;
    int r = keep_run(m, &e);
    uint64_t pause = RUN_PAUSE_MIN; /* a container's start can change the mount table many times */
    if (r == 0)
        m->run_retry.failures = 0;
    else
        pause = retry_next(&m->run_retry, r < 0 ? &run_failed : &run_corrected);
    m->run_check_after = now_monotonic_usec() + pause;
    if (r < 0) {
        if (!streq_null(m->run_problem, e.message))
            log_error("%s; tried again in %.1f s", e.message, (double)pause / (double)USEC_PER_SEC);
        timer_arm(&m->run_check, m->event, pause, on_run_check, m);
    }
    free(m->run_problem);
    m->run_problem = r < 0 ? xstrdup(e.message) : NULL;
}

void manager_check_run_soon(struct manager *m)
{
    timer_arm_at(&m->run_check, m->event, m->run_check_after, on_run_check, m);
}

/* Marks the provisioner to run once without a caller if packages in the install store are unfinished or do
 * not belong to root. Otherwise a container could use such a package until the next deploy. */
static void call_for_packages(struct manager *m)
{
    struct service *provisioner = manager_find(m, "provisioner");
    _cleanup_free_ char *path = tree_ipk_install(&m->tree);
    if (provisioner)
        provisioner->uncalled = packages_left(path);
}

int manager_boot(struct manager *m, struct topology *topology, struct error *e)
{
    int r = watch_signals(m);
    if (r < 0)
        return error_os(e, -r, "cannot watch signals");
    m->services = xcalloc(topology->n_services, sizeof *m->services);
    for (size_t i = 0; i < topology->n_services; i++) {
        struct service_conf *conf = TAKE_PTR(topology->services[i]);
        r = service_new(m, conf, reload_fingerprint(conf, m->config), &m->services[i], e);
        if (r < 0)
            return r;
        m->n_services++;
    }
    r = methods_serve(m, e);
    if (r < 0)
        return r;
    manager_check_run(m);
    call_for_packages(m);
    manager_derive(m);
    manager_start_wanted(m);
    return 0;
}

void manager_done(struct manager *m)
{
    m->settle = sd_event_source_disable_unref(m->settle);
    reload_cancel(m);
    path_watch_free(m->run_watch);
    timer_stop(&m->run_check);
    free(m->run_problem);
    methods_done(m);
    for (size_t i = 0; i < m->n_services; i++)
        service_free(m->services[i]);
    free(m->services);
    spawner_free(m->spawner);
    close_fd(m->notification_fd);
    config_free(m->config);
    tree_done(&m->tree);
}
