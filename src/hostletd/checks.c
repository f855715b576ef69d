/* Implements checks.h. A service judges what it reads itself, by the code that it starts with: hostletd
 * parses none of it. */
#include "hostletd/checks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "hostletd/logs.h"
#include "lib/api/supervisor.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/loop/timer.h"
#include "lib/topology/listen.h"

/* The programs read local files. A file system that does not respond must not block a reload for ever. */
#define LIMIT_USEC (30 * USEC_PER_SEC)

struct check {
    const char *name; /* of the service */
    pid_t pid;        /* 0: it has exited */
    bool late;        /* it was killed after LIMIT_USEC */
    struct child_log *log;
};

struct checks {
    sd_event_source *over; /* calls on_done in the loop's next iteration */
    struct timer timer;
    struct check *items;
    size_t n, running;
    struct error first; /* the first refusal; errnum 0: none */
    checks_done_fn on_done;
    void *userdata;
};

int checks_rights(const struct topology *topology, struct error *e)
{
    for (size_t i = 0; i < topology->n_services; i++) {
        const struct service_conf *c = topology->services[i];
        for (size_t k = 0; k < c->n_supervisor; k++) {
            const struct varlink_method *m = varlink_find_method(&supervisor_interface, c->supervisor[k]);
            if (!m || (m->flags & VARLINK_CHANGES))
                return error_refuse(e, EINVAL,
                                    "%s/service.conf: supervisor: %s has no method '%s' that changes nothing",
                                    c->directory, supervisor_interface.name, c->supervisor[k]);
        }
    }
    return 0;
}

static int on_over(sd_event_source *source, void *userdata)
{
    (void)source;
    struct checks *c = userdata;
    timer_stop(&c->timer);
    c->on_done(c->first.errnum ? &c->first : NULL, c->userdata);
    return 0;
}

static void one_is_over(struct checks *c)
{
    if (--c->running == 0)
        sd_event_source_set_enabled(c->over, SD_EVENT_ONESHOT);
}

/* Stores the first refusal. */
static void refuse(struct checks *c, const char *service, const char *why)
{
    if (c->first.errnum == 0)
        error_refuse(&c->first, EINVAL, "service '%s': %s", service, why);
}

/* Logs and stores a refusal of hostletd's own. Those of a program are in its log. */
static void refuse_self(struct checks *c, const char *service, const char *why)
{
    log_error("%s: %s", service, why);
    refuse(c, service, why);
}

static void on_timer(void *userdata)
{
    struct checks *c = userdata;
    for (size_t i = 0; i < c->n; i++)
        if (c->items[i].pid) {
            c->items[i].late = true;
            kill(-c->items[i].pid, SIGKILL);
        }
}

static int start_one(struct checks *c, sd_event *event, struct spawner *spawner,
                     const struct service_conf *conf, struct error *e)
{
    struct check *check = &c->items[c->n];
    int r = child_log_new(event, conf->name, &check->log, e);
    if (r < 0)
        return r;
    check->name = conf->name;
    c->n++;
    child_log_begin(check->log);
    struct error why = ERROR_INIT;
    if (spawner_check(spawner, conf, child_log_fd(check->log), &check->pid, &why) >= 0)
        c->running++;
    else
        refuse_self(c, conf->name, why.message);
    return 0;
}

static void check_ports(struct checks *c, const struct service_conf *conf, const struct config *config)
{
    struct error why = ERROR_INIT;
    if (service_conf_enabled(conf, config) && service_conf_tcp_check(conf, config, &why) < 0)
        refuse_self(c, conf->name, why.message);
}

int checks_start(sd_event *event, struct spawner *spawner, const struct topology *topology,
                 const struct config *config, checks_done_fn on_done, void *userdata, struct checks **ret,
                 struct error *e)
{
    struct checks *c = xcalloc(1, sizeof *c);
    c->items = xcalloc(topology->n_services, sizeof *c->items);
    c->on_done = on_done;
    c->userdata = userdata;
    c->running = 1; /* until all are started */
    int r = sd_event_add_defer(event, &c->over, on_over, c);
    if (r >= 0)
        r = sd_event_source_set_enabled(c->over, SD_EVENT_OFF);
    if (r < 0)
        error_os(e, -r, "cannot watch the checks of the services");
    for (size_t i = 0; r >= 0 && i < topology->n_services; i++) {
        check_ports(c, topology->services[i], config);
        if (topology->services[i]->check)
            r = start_one(c, event, spawner, topology->services[i], e);
    }
    if (r < 0) {
        checks_free(c);
        return r;
    }
    timer_arm(&c->timer, event, LIMIT_USEC, on_timer, c);
    one_is_over(c);
    *ret = c;
    return 0;
}

bool checks_process_ended(struct checks *c, const siginfo_t *info)
{
    for (size_t i = 0; c && i < c->n; i++) {
        struct check *check = &c->items[i];
        if (check->pid != info->si_pid)
            continue;
        check->pid = 0;
        child_log_end(check->log);
        const char *last = child_log_last(check->log);
        if (check->late)
            refuse(c, check->name, "its check of the configuration did not end within 30 s");
        else if (info->si_code != CLD_EXITED || info->si_status != EXIT_OK)
            refuse(c, check->name, *last ? last : "its check of the configuration failed without a message");
        one_is_over(c);
        return true;
    }
    return false;
}

void checks_free(struct checks *c)
{
    if (!c)
        return;
    timer_stop(&c->timer);
    sd_event_source_disable_unref(c->over);
    for (size_t i = 0; i < c->n; i++) {
        if (c->items[i].pid)
            kill(-c->items[i].pid, SIGKILL);
        child_log_free(c->items[i].log);
    }
    free(c->items);
    free(c);
}

/* --- without a tree --- */

struct lone {
    sd_event *event;
    struct checks *checks;
    struct error *e;
};

static void on_lone_done(const struct error *e, void *userdata)
{
    struct lone *lone = userdata;
    if (e)
        *lone->e = *e;
    sd_event_exit(lone->event, e ? -e->errnum : 0);
}

static int on_lone_child(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    struct lone *lone = userdata;
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
            return 0;
        checks_process_ended(lone->checks, &info);
    }
}

int checks_run(const struct tree *tree, const struct topology *topology, const struct config *config,
               struct error *e)
{
    struct lone lone = {.e = e};
    struct spawner *spawner = NULL;
    int r = spawner_new(tree, &spawner, e);
    if (r < 0)
        return r;
    r = sd_event_new(&lone.event);
    if (r >= 0)
        r = sd_event_add_signal(lone.event, NULL, SIGCHLD, on_lone_child, &lone);
    if (r >= 0)
        r = sd_event_add_signal(lone.event, NULL, SIGINT, NULL, (void *)(intptr_t)-EINTR);
    if (r >= 0)
        r = sd_event_add_signal(lone.event, NULL, SIGTERM, NULL, (void *)(intptr_t)-EINTR);
    r = r < 0 ? error_os(e, -r, "cannot make the event loop") : logs_open(lone.event, e);
    if (r >= 0)
        r = checks_start(lone.event, spawner, topology, config, on_lone_done, &lone, &lone.checks, e);
    if (r >= 0 && (r = sd_event_loop(lone.event)) < 0 && e->errnum == 0)
        error_fail(e, -r, "the checks were interrupted");
    checks_free(lone.checks);
    logs_close();
    sd_event_unref(lone.event);
    spawner_free(spawner);
    return r;
}
