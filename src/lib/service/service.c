/* Implements service.h. */
#include "lib/service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config.h"
#include "lib/basic/arguments.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/loop/timer.h"
#include "lib/service/jail.h"
#include "lib/service/sockets.h"
#include "lib/varlink/client.h"
#include "lib/varlink/describe.h"
#include "lib/varlink/unix.h"

struct running {
    struct service_context context;
    struct timer idle_timer;
    struct sockets sockets;
    int notification_fd, lifeline_fd, netns_fd;
    bool check; /* the process judges its configuration and exits */
};

static void print_help(const struct service_definition *service)
{
    printf(
        "Usage: %s [OPTION…]\n\n"
        "A process of hostlet's tree; see %s(8). It is started by hostletd, and by hand or under another\n"
        "supervisor with these options:\n\n"
        "      --prefix DIR            the tree below DIR instead of the system's places ($HOSTLET_PREFIX)\n"
        "      --services DIR          the service directories ($HOSTLET_SERVICES)\n"
        "      --libexec DIR           the programs ($HOSTLET_LIBEXEC)\n"
        "      --log-format FORMAT     auto, plain, journal or json\n"
        "      --notification-fd N     write a newline to descriptor N when ready (s6)\n"
        "      --check                 check the configuration as the service would at its start, and exit\n"
        "      --describe              print the Varlink interface and exit\n"
        "      --failpoints            list the failpoints (test builds) and exit\n"
        "      --version, --help\n",
        service->name, service->name);
}

static void print_interface(const struct service_definition *service)
{
    char *text = varlink_describe(service->interface);
    fputs(text, stdout);
    /* The memory is freed for the leak checker: exit() does not run the callers' clean-up. */
    free(text);
}

static void parse_arguments(const struct service_definition *service, int argc, char **argv,
                            struct arguments *a, bool *ret_check)
{
    enum { DESCRIBE = ARGUMENTS_OWN, CHECK };
    static const struct option options[] = {ARGUMENTS_OPTIONS,
                                            {"check", no_argument, NULL, CHECK},
                                            {"describe", no_argument, NULL, DESCRIBE},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (arguments_take(a, service->name, c))
            continue;
        if (c == CHECK) {
            *ret_check = true;
            continue;
        }
        if (c == DESCRIBE)
            print_interface(service);
        else if (c == 'h')
            print_help(service);
        exit(c == '?' ? EXIT_USAGE : EXIT_OK);
    }
    arguments_end(argc, argv);
}

/* Returns the descriptor whose number hostletd left in the environment variable, or −1. Sets close-on-exec
 * and removes the variable. */
static int inherited_fd(const char *variable)
{
    const char *text = getenv(variable);
    int64_t fd;
    if (!text || parse_int64(text, 3, 65535, &fd) < 0 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    unsetenv(variable);
    return (int)fd;
}

void service_exit(struct service_context *context, int code)
{
    sd_event_exit(context->event, code);
}

static void on_idle_timer(void *userdata);

/* Starts or restarts the idle timer of a service on demand. When it fires, the process exits, and the
 * supervisor starts it for the next caller. */
static void time_idleness(struct running *r)
{
    const struct service_context *c = &r->context;
    if (c->supervised && service_conf_start(c->conf, c->config) == START_DEMAND)
        timer_arm(&r->idle_timer, c->event, c->conf->idle_timeout_usec, on_idle_timer, r);
}

static void on_idle_timer(void *userdata)
{
    struct running *r = userdata;
    struct service_context *c = &r->context;
    if (varlink_server_connections(c->server) > 0)
        return;
    if (c->service->busy && c->service->busy(c->userdata)) {
        time_idleness(r);
        return;
    }
    service_exit(c, EXIT_OK);
}

static void on_idle(void *userdata)
{
    time_idleness(userdata);
}

static bool peer_allowed(uid_t uid, gid_t gid, pid_t pid, void *userdata)
{
    (void)gid, (void)pid;
    const struct running *r = userdata;
    return service_conf_peer_allowed(r->context.conf, uid);
}

static bool method_allowed(uid_t uid, const char *method, void *userdata)
{
    const struct running *r = userdata;
    return service_conf_method_allowed(r->context.conf, uid, method);
}

/* Refuses a method name in 'peers' of service.conf that the interface lacks. A misspelt name would silently
 * grant nothing. */
static int check_peers(const struct service_context *c, struct error *e)
{
    for (size_t i = 0; i < c->conf->n_peers; i++)
        for (char **m = c->conf->peer_methods[i]; m && *m; m++)
            if (!varlink_find_method(c->service->interface, *m))
                return error_refuse(e, EINVAL, "%s/service.conf: peers: %s: %s has no method '%s'",
                                    c->conf->directory, c->conf->peers[i], c->service->interface->name, *m);
    return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    struct service_context *c = userdata;
    if (c->service->finish && !c->ending) {
        c->ending = true;
        c->service->finish(c->userdata);
    } else
        service_exit(c, EXIT_OK);
    return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    struct service_context *c = userdata;
    if (c->service->reload && !c->ending)
        c->service->reload(c->userdata);
    return 0;
}

static void take_public(struct running *r, int fd)
{
    struct service_context *c = &r->context;
    int old = c->public_fd;
    c->public_fd = fd;
    if (c->service->public_moved)
        c->service->public_moved(c->userdata);
    else
        service_exit(c, EXIT_FAILED);
    close_fd(old);
}

/* Serves a socket that hostletd has bound again, because the path of the old one does not lead to it. */
static void take_socket(struct running *r, int fd, char which)
{
    struct error e = ERROR_INIT;
    if (which == UNIX_FD_PUBLIC) {
        take_public(r, fd);
        return;
    }
    if (varlink_server_move(r->context.server, fd, &e) < 0) {
        log_error("%s: ending", e.message);
        service_exit(&r->context, EXIT_FAILED);
    }
    close_fd(r->sockets.listen_fd);
    r->sockets.listen_fd = fd;
}

static int on_lifeline(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct running *r = userdata;
    char which;
    int received = unix_receive_fd(fd, &which);
    if (received >= 0) {
        take_socket(r, received, which);
    } else if (received != -EAGAIN) {
        log_warning(received == -EBADMSG ? "the socket that the supervisor sent is lost: ending"
                                         : "the supervisor has exited: ending");
        service_exit(&r->context, EXIT_FAILED);
    }
    return 0;
}

static int make_loop(struct running *r, struct error *e)
{
    struct service_context *c = &r->context;
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    int x = sd_event_default(&c->event);
    if (x >= 0)
        x = sd_event_add_signal(c->event, NULL, SIGTERM, on_signal, c);
    if (x >= 0)
        x = sd_event_add_signal(c->event, NULL, SIGINT, on_signal, c);
    if (x >= 0)
        x = sd_event_add_signal(c->event, NULL, SIGHUP, on_reload, c);
    if (x >= 0 && r->lifeline_fd >= 0)
        x = sd_event_add_io(c->event, NULL, r->lifeline_fd, EPOLLHUP | EPOLLIN, on_lifeline, r);
    if (x < 0)
        return error_os(e, -x, "cannot make the event loop");
    clock_init(&c->clock, c->event);
    wall_guard_init(&c->wall, &c->clock, getenv(WALL_GUARD_VARIABLE));
    time_idleness(r);
    sockets_watch(&r->sockets, c);
    return 0;
}

static int serve(struct running *r, struct error *e)
{
    struct service_context *c = &r->context;
    struct varlink_server_options options = {
        .interface = c->service->interface,
        .handlers = c->service->handlers,
        .userdata = c->userdata,
        .peer_allowed = peer_allowed,
        .method_allowed = method_allowed,
        .on_idle = on_idle,
        .hooks_userdata = r,
    };
    int x = varlink_server_new(c->event, &options, &c->server);
    if (x >= 0)
        x = varlink_server_listen(c->server, r->sockets.listen_fd, e);
    if (x < 0)
        return x;
    sd_notify(0, "READY=1");
    if (r->notification_fd >= 0) {
        const char *text = r->lifeline_fd >= 0 ? "sockets\n" : "\n";
        if (write(r->notification_fd, text, strlen(text)) < 0)
            log_debug("cannot report readiness: %s", strerrordesc_np(errno));
        /* A standard descriptor stays open: otherwise the next connection would get its number, and log lines
         * would be written into the connection. */
        r->notification_fd = r->notification_fd > STDERR_FILENO ? close_fd(r->notification_fd) : -1;
    }
    return 0;
}

static bool has_jail(void)
{
#ifdef ENABLE_SANITIZERS
    return false;
#else
    return geteuid() == 0;
#endif
}

uid_t service_uid(const struct service_context *c)
{
    return has_jail() ? c->conf->uid : (uid_t)-1;
}

gid_t service_gid(const struct service_context *c)
{
    return has_jail() ? c->conf->gid : (gid_t)-1;
}

static int enter_jail(struct running *r, struct error *e)
{
    struct service_context *c = &r->context;
#ifdef ENABLE_SANITIZERS
    log_debug("sanitized build: no jail");
    return 0;
#endif
    if (geteuid() != 0) {
        log_notice("not started by root: no jail");
        return 0;
    }
    int x = jail_enter(c->conf, c->extra_groups, c->n_extra_groups, r->netns_fd, c->supervised, e);
    const struct service_filter *filter = c->service->filter;
    return x >= 0 && filter ? filter->install(filter, e) : x;
}

/* Judges the configuration, for --check. A service that is not enabled reads none. */
static int check(struct running *r, struct error *e)
{
    struct service_context *c = &r->context;
    const struct service_definition *s = c->service;
    if (!service_conf_enabled(c->conf, c->config))
        return 0;
    int x = s->check_as_root ? s->check_as_root(c, e) : 0;
    if (x >= 0)
        x = enter_jail(r, e);
    return x >= 0 && s->check ? s->check(c, e) : x;
}

static int run(struct running *r, struct arguments *a, struct error *e)
{
    struct service_context *c = &r->context;
    const struct service_definition *s = c->service;
    int x = tree_init(&c->tree, a->prefix, a->services, a->libexec, e);
    if (x >= 0)
        x = config_load(&c->tree, &c->config, e);
    if (x >= 0)
        x = service_conf_load(&c->tree, s->name, &c->conf, e);
    if (x >= 0)
        x = check_peers(c, e);
    if (x < 0)
        return x;
    enum log_level level = LOG_LEVEL_INFO;
    log_level_from_string(config_string(c->config, "hostlet", "log_level"), &level);
    log_set_max_level(level);
    if (r->check)
        return check(r, e);
    x = sockets_take(&r->sockets, c, e);
    if (x >= 0 && s->before_jail)
        x = s->before_jail(c, e);
    if (x >= 0)
        x = enter_jail(r, e);
    if (x >= 0)
        x = make_loop(r, e);
    if (x >= 0 && s->start)
        x = s->start(c, e);
    if (x >= 0)
        x = serve(r, e);
    return x < 0 ? x : sd_event_loop(c->event);
}

int service_main(const struct service_definition *service, int argc, char **argv)
{
    struct arguments a = ARGUMENTS_INIT;
    struct error e = ERROR_INIT;
    static struct running process;
    if (fill_standard_descriptors() < 0)
        return EXIT_FAILED;
    allow_many_descriptors();
    process = (struct running){.context = {.service = service, .public_fd = -1}, .sockets = SOCKETS_INIT};
    for (size_t i = 0; i < SERVICE_TCP_MAX; i++)
        process.context.tcp_fds[i] = -1;
    failpoint_table(service->failpoints);
    log_open(service->name, LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
    parse_arguments(service, argc, argv, &a, &process.check);
    /* hostletd adds the name and the format to the log lines of its workers, so that a worker writes the
     * level only. */
    process.context.supervised = getenv("HOSTLET_LIFELINE_FD") != NULL;
    log_open(service->name, process.context.supervised ? LOG_FORMAT_JOURNAL : a.log_format, LOG_LEVEL_INFO);
    process.notification_fd = a.notification_fd;
    process.lifeline_fd = inherited_fd("HOSTLET_LIFELINE_FD");
    process.netns_fd = inherited_fd("HOSTLET_NETNS_FD");

    int r = run(&process, &a, &e);
    /* The server is freed first: it reports to the handlers that the callers are gone, and the handlers still
     * need the state that stop() frees. */
    varlink_server_free(process.context.server);
    if (service->stop && process.context.userdata)
        service->stop(process.context.userdata);
    timer_stop(&process.idle_timer);
    sockets_done(&process.sockets);
    sd_event_unref(process.context.event);
    service_conf_free(process.context.conf);
    config_free(process.context.config);
    tree_done(&process.context.tree);
    if (r >= 0)
        return r;
    log_error("%s", e.message);
    return e.class == ERROR_REFUSED ? EXIT_PERMANENT : EXIT_FAILED;
}
