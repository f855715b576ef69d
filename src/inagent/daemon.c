/* Runs the tasks of an application in one loop over signals, the specification, the tasks and the reports to
 * hostlet; it sleeps while nothing happens.
 *
 * It starts the tasks in their order, reaps every process that exits, and shuts all of them down. It has
 * the rights of the container's root. It logs an unusable specification and waits for another; a task that
 * fails on probation ends the container with the task's exit code, which hostlet sees. */
#include "inagent/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inagent/ending.h"
#include "inagent/main_task.h"
#include "inagent/output.h"
#include "inagent/plan.h"
#include "inagent/report.h"
#include "inagent/request_file.h"
#include "inagent/run.h"
#include "inagent/schedule.h"
#include "inagent/shutdown.h"
#include "inagent/spec.h"
#include "inagent/state_file.h"
#include "inagent/wall_timer.h"
#include "inagent/watch.h"
#include "inagent/zones.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

/* bytes; the contract's largest message, in which a specification is sent */
#define SPEC_MAX ((size_t)16 << 20)

struct daemon {
    const struct environment *environment;
    struct plan plan;
    struct watch watch;
    struct shutdown shutdown;
    struct report report;
    struct output output;
    struct main_task main_task;
    struct wall_timer wall_timer;
    struct zones zones;
    struct request_file request;
    struct watch_file request_seen;
    bool loaded; /* a specification could be used */
    uint64_t begun;
    bool more_exited; /* more children may have exited than were reaped: no further SIGCHLD tells */
    int signals;
};

void daemon_signals(sigset_t *ret)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
                                  SIGIO,   SIGUSR1, SIGUSR2, SIGWINCH};
    sigemptyset(ret);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaddset(ret, numbers[i]);
}

/* Logs once which tasks of the specification do not run, and why. A task that can never run counts as
 * failed. */
static void announce(struct daemon *d, uint64_t now)
{
    for (size_t i = 0; i < d->plan.n_tasks; i++) {
        struct task *task = d->plan.tasks[i];
        const char *name = task->definition.name;
        if (!task->present || task->announced)
            continue;
        task->announced = true;
        if (task->problem)
            log_error("task '%s' failed: %s", name, task->problem);
        else if (task->definition.trigger == TRIGGER_NONE)
            log_notice("task '%s' has no trigger: it runs by request alone", name);
        if (task->problem && task->definition.trigger == TRIGGER_ON_STARTUP && now < d->plan.probation_end)
            shutdown_abandon(&d->shutdown, 1, now);
    }
}

static int load(struct daemon *d, struct spec *ret, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/" SPEC_NAME, d->watch.path), *data = NULL;
    size_t size;
    struct envelope envelope = {.known = false};
    int r = read_file_at(AT_FDCWD, path, SPEC_MAX, &data, &size, e);
    if (r >= 0) {
        spec_envelope(data, size, &envelope);
        r = spec_parse(data, size, &d->environment->identity, ret, e);
    }
    report_loaded(&d->report, &envelope, r < 0 ? e->message : NULL);
    envelope_clear(&envelope);
    return r;
}

/* Loads a new specification if there is one. An invalid one changes nothing. */
static void reload(struct daemon *d, uint64_t now)
{
    if (!watch_changed(&d->watch) || d->shutdown.phase != SHUTDOWN_NOT)
        return;
    struct error e = ERROR_INIT;
    struct spec spec;
    if (load(d, &spec, &e) < 0) {
        log_error("spec_load failed: %s; waiting for another " SPEC_NAME, e.message);
        return;
    }
    log_info("specification of '%s', revision %.0f: %zu task%s", spec.instance, spec.revision, spec.n_tasks,
             spec.n_tasks == 1 ? "" : "s");
    plan_update(&d->plan, spec.tasks, spec.n_tasks, now);
    spec_clear(&spec);
    state_files_read(d->output.files.home, &d->plan);
    if (!d->loaded)
        request_missed(&d->request, &d->plan);
    d->loaded = true;
    announce(d, now);
}

/* Decides about a new request to run a task. */
static void take_request(struct daemon *d)
{
    struct error e = ERROR_INIT;
    int r = request_file_read(&d->request, &d->watch, &d->request_seen, &e);
    if (r < 0)
        log_warning("%s", e.message);
    if (r <= 0)
        return;
    struct task *task = request_decide(&d->request, &d->plan, d->shutdown.phase != SHUTDOWN_NOT);
    if (!task)
        log_warning("task '%s' was requested, and does not exist", d->request.task);
    else if (task->request.state == REQUEST_REFUSED)
        log_warning("task '%s' was requested, and is not run: %s", d->request.task, request_message(task));
    else
        log_info("task '%s' was requested", d->request.task);
    report_request(&d->report, task);
}

/* Keeps and reports what changed of a task's run. */
static void note_run(struct daemon *d, const struct task *task)
{
    state_file_write(d->output.files.home, task);
    report_task(&d->report, task);
}

/* 'failure' is why the run could not begin, or NULL. */
static void task_ended(struct daemon *d, struct task *task, int exit_code, const char *failure, uint64_t now)
{
    const char *name = task->definition.name;
    _cleanup_free_ char *reason = main_task_ended(&d->main_task, task, &exit_code);
    if (reason)
        log_error("task '%s': %s", name, reason);
    /* The successes of a task that repeats would fill the container's log: the first of a series is logged.
     */
    bool quiet = schedule_repeats(task) && task->over > 0 && task->exit_code == 0;
    enum task_verdict verdict = plan_ended(&d->plan, task, exit_code, now);
    set_string(&task->reason, verdict == VERDICT_DONE ? NULL : reason ? reason : failure ?: task->ending);
    request_ended(task);
    note_run(d, task);
    double seconds = (double)(now - task->begun) / (double)USEC_PER_SEC;
    switch (verdict) {
    case VERDICT_DONE:
        if (!quiet)
            log_info("task '%s' succeeded after %.1f s", name, seconds);
        break;
    case VERDICT_AGAIN:
        log_warning("task '%s' failed with exit code %d after %.1f s (attempt %u); again in %.0f s", name,
                    exit_code, seconds, task->attempts, (double)(task->due - now) / (double)USEC_PER_SEC);
        break;
    case VERDICT_GIVEN_UP:
        log_error("task '%s' failed with exit code %d after %.1f s (attempt %u); not retried%s", name,
                  exit_code, seconds, task->attempts, task->next > 0 ? " before its next run" : "");
        break;
    case VERDICT_FATAL:
        log_error(
            "task '%s' failed with exit code %d after %.1f s (attempt %u), on probation: the container ends",
            name, exit_code, seconds, task->attempts);
        shutdown_abandon(&d->shutdown, exit_code, now);
        break;
    }
}

/* The number of children that one round reaps, so that a fork bomb does not keep the loop from a signal. */
#define REAPED_MAX 1000

/* Reaps exited children. Those without a task are orphans of tasks, which process 1 inherits. */
static void reap(struct daemon *d, uint64_t now)
{
    pid_t pid = 0;
    int status;
    unsigned n = 0;
    d->more_exited = false;
    while (n < REAPED_MAX && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
        n++;
        struct task *task = plan_find_pid(&d->plan, pid);
        if (!task)
            shutdown_ended(&d->shutdown, pid, run_exit_code(status), now);
        else
            output_ended(&d->output, task->definition.name);
        if (task && d->shutdown.phase == SHUTDOWN_NOT) {
            ending_over(task, pid);
            task_ended(d, task, run_exit_code(status), NULL, now);
        }
    }
    d->more_exited = n == REAPED_MAX;
    if (pid < 0 && errno == ECHILD)
        shutdown_alone(&d->shutdown);
}

static void start_tasks(struct daemon *d, uint64_t now)
{
    struct task *task;
    while (d->shutdown.phase == SHUTDOWN_NOT && (task = plan_next(&d->plan, now))) {
        struct error e = ERROR_INIT;
        const char *address = main_task_address(&d->main_task, &d->plan, task);
        pid_t pid = run_task(&task->definition, address, &d->output, &e);
        plan_began(&d->plan, task, pid, now);
        request_began(task);
        if (pid > 0)
            note_run(d, task);
        if (pid > 0) {
            main_task_began(&d->main_task, task, address);
            if (!schedule_repeats(task))
                log_info("task '%s' started (process %d)", task->definition.name, (int)pid);
        } else {
            log_error("task '%s': %s", task->definition.name, e.message);
            task_ended(d, task, 1, e.message, now);
        }
    }
}

static void read_signals(struct daemon *d, uint64_t now)
{
    struct signalfd_siginfo info;
    while (read(d->signals, &info, sizeof info) == sizeof info)
        switch (info.ssi_signo) {
        case SIGCHLD:
        case SIGIO:
            break; /* every iteration of the loop looks for what they announce */
        case SIGUSR1:
        case SIGUSR2:
        case SIGWINCH:
            if (d->shutdown.phase == SHUTDOWN_NOT)
                main_task_signal(&d->main_task, &d->plan, (int)info.ssi_signo);
            break;
        default:
            log_info("stopping, on signal %u", info.ssi_signo);
            shutdown_begin(&d->shutdown, &d->plan, &d->output, 0, d->environment->stop_timeout_usec, now);
        }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void wait_for_events(struct daemon *d)
{
    uint64_t wakeup = earlier(report_wakeup(&d->report), main_task_read_wakeup(&d->main_task));
    if (d->shutdown.phase == SHUTDOWN_NOT) {
        wakeup = earlier(wakeup, earlier(plan_wakeup(&d->plan), ending_wakeup(&d->plan)));
        wakeup = earlier(wakeup, main_task_tick_wakeup(&d->main_task));
        wall_timer_set(&d->wall_timer, schedule_wall_wakeup(&d->plan));
    } else {
        wakeup = earlier(wakeup, shutdown_wakeup(&d->shutdown));
    }
    uint64_t now = now_monotonic_usec(), wait = wakeup > now && !d->more_exited ? wakeup - now : 0;
    struct timespec timeout = {(time_t)(wait / USEC_PER_SEC), (long)(wait % USEC_PER_SEC) * 1000};
    struct pollfd fds[5 + OUTPUT_STREAMS] = {{.fd = d->signals, .events = POLLIN},
                                             {.fd = d->watch.inotify, .events = POLLIN},
                                             {.fd = main_task_fd(&d->main_task), .events = POLLIN},
                                             {.fd = d->wall_timer.fd, .events = POLLIN}};
    fds[4].fd = report_fd(&d->report, &fds[4].events);
    output_poll(&d->output, fds + 5);
    if (ppoll(fds, ARRAY_SIZE(fds), wakeup == UINT64_MAX && !d->more_exited ? NULL : &timeout, NULL) < 0 &&
        errno != EINTR)
        fatal(EXIT_FAILED, "cannot wait for events: %s", strerrordesc_np(errno));
}

static void loop(struct daemon *d)
{
    while (d->shutdown.phase != SHUTDOWN_OVER) {
        uint64_t now = now_monotonic_usec();
        wall_timer_read(&d->wall_timer);
        schedule_clock(&d->plan, now, (int64_t)now_realtime_usec());
        read_signals(d, now);
        /* A sender must not be reaped before its message is read. */
        main_task_read(&d->main_task, &d->plan, now);
        if (d->shutdown.phase == SHUTDOWN_NOT)
            main_task_tick(&d->main_task, now);
        reap(d, now);
        watch_drain(&d->watch);
        reload(d, now);
        take_request(d);
        if (d->shutdown.phase == SHUTDOWN_NOT)
            ending_tick(&d->plan, now);
        start_tasks(d, now);
        output_round(&d->output);
        report_application(&d->report, &d->main_task.state, d->begun);
        report_round(&d->report, &d->plan, now);
        shutdown_tick(&d->shutdown, now);
        /* Without a child no SIGCHLD arrives. */
        if (d->shutdown.phase == SHUTDOWN_WAITING)
            reap(d, now);
        if (d->shutdown.phase != SHUTDOWN_OVER)
            wait_for_events(d);
    }
}

int daemon_run(const struct environment *environment, const char *home, uint64_t begun)
{
    struct daemon d = {.environment = environment,
                       .watch = WATCH_INIT,
                       .report = REPORT_INIT,
                       .main_task = MAIN_TASK_INIT,
                       .wall_timer = WALL_TIMER_INIT,
                       .signals = -1};
    d.plan.probation_end = begun + environment->probation_usec;
    d.plan.find_zone = zones_find;
    d.plan.zones = &d.zones;
    d.begun = begun;
    report_identify(&d.report);
    d.report.replica_id = environment->identity.replica_id;
    sigset_t signals;
    daemon_signals(&signals);
    d.signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (d.signals < 0)
        fatal(EXIT_FAILED, "cannot make a signalfd: %s", strerrordesc_np(errno));
    struct error e = ERROR_INIT;
    if (output_begin(&d.output, home, &e) < 0)
        fatal(EXIT_FAILED, "%s", e.message);
    _cleanup_free_ char *directory = xasprintf("%s/.innerstack", home);
    if (watch_begin(&d.watch, directory, &e) < 0)
        log_warning("%s: a new " SPEC_NAME " is not noticed", e.message);
    /* A request that is there already was made in an earlier life of the container. */
    if (request_file_read(&d.request, &d.watch, &d.request_seen, &e) < 0)
        log_warning("%s", e.message);
    d.report.request = &d.request;
    _cleanup_free_ char *path = xasprintf("%s/" SPEC_NAME, directory);
    if (access(path, F_OK) < 0)
        log_error("spec_load failed: '%s': %s; waiting for it", path, strerrordesc_np(errno));
    loop(&d);
    output_end(&d.output);
    watch_end(&d.watch);
    report_end(&d.report);
    main_task_close(&d.main_task);
    plan_clear(&d.plan);
    zones_clear(&d.zones);
    wall_timer_end(&d.wall_timer);
    request_file_clear(&d.request);
    close_fd(d.signals);
    return d.shutdown.exit_code;
}
