/* hostletd: the supervisor of the tree.
 *
 * Job: binds the listening sockets of all services, starts their processes in the order of their needs or
 * when a caller connects, waits until they are ready, restarts them when they exit, stops them in reverse
 * order, reaps all processes, and writes their log lines to its standard error. Privileges: root, without a
 * jail. It parses no untrusted input: the administrator writes its configuration, and its callers are root
 * and the users that a 'supervisor' line admits. Failures: when it is killed, its workers are killed too
 * (lifeline and parent-death signal) while containers continue to run, and the next start recovers
 * everything. Its only state is the lock, the pid file and the tree's id. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "hostletd/checks.h"
#include "hostletd/logs.h"
#include "hostletd/manager.h"
#include "hostletd/setup.h"
#include "hostletd/users.h"
#include "lib/basic/arguments.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

static const char *const failpoints[] = {"setup.before_lock", "setup.before_id", "boot.before_services",
                                         "boot.before_ready", NULL};

enum mode { MODE_RUN, MODE_SETUP, MODE_CHECK };

static void print_help(void)
{
    printf(
        "Usage: hostletd [OPTION…]\n\n"
        "The supervisor of hostlet's tree, in the foreground; see hostletd(8).\n\n"
        "      --prefix DIR            the tree below DIR instead of the system's places ($HOSTLET_PREFIX)\n"
        "      --services DIR          the service directories ($HOSTLET_SERVICES)\n"
        "      --libexec DIR           the programs ($HOSTLET_LIBEXEC)\n"
        "      --log-format FORMAT     auto, plain, journal or json\n"
        "      --notification-fd N     write a newline to descriptor N when the tree is up (s6)\n"
        "      --setup                 make the tree's directories and id, and exit\n"
        "      --check                 check the configuration and the services, and exit\n"
        "      --failpoints            list the failpoints (test builds) and exit\n"
        "      --version, --help\n\n"
        "SIGHUP reads the configuration anew, SIGTERM stops the tree and leaves containers running.\n");
}

static void parse_arguments(int argc, char **argv, struct arguments *a, enum mode *mode)
{
    enum { SETUP = ARGUMENTS_OWN, CHECK };
    static const struct option options[] = {ARGUMENTS_OPTIONS,
                                            {"setup", no_argument, NULL, SETUP},
                                            {"check", no_argument, NULL, CHECK},
                                            {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (arguments_take(a, "hostletd", c))
            continue;
        switch (c) {
        case SETUP:
            *mode = MODE_SETUP;
            break;
        case CHECK:
            *mode = MODE_CHECK;
            break;
        case 'h':
            print_help();
            exit(EXIT_OK);
        default:
            exit(EXIT_USAGE);
        }
    }
    arguments_end(argc, argv);
}

/* Resets what the process inherited: umask, signal handling and open descriptors. An inherited descriptor
 * could have a number at which workers expect theirs. */
static int start_clean(struct manager *m, const struct arguments *a, struct error *e)
{
    sigset_t blocked;
    umask(0022);
    /* Workers would inherit ignored signals, and if SIGCHLD is ignored, the kernel does not report the exit
     * of a child. */
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGHUP);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    if (a->notification_fd >= 0) {
        m->notification_fd = fcntl(a->notification_fd, F_DUPFD_CLOEXEC, SPAWN_FIRST_FREE);
        if (m->notification_fd < 0)
            return error_os(e, errno, "cannot keep the notification descriptor");
        close_range(3, (unsigned)m->notification_fd - 1, 0);
    }
    close_range(m->notification_fd < 0 ? 3 : (unsigned)m->notification_fd + 1, ~0U, 0);
    return 0;
}

static int prepare(struct manager *m, const struct arguments *a, enum mode mode, struct topology *topology,
                   struct error *e)
{
    enum log_level level = LOG_LEVEL_INFO;
    int r = tree_init(&m->tree, a->prefix, a->services, a->libexec, e);
    if (r >= 0)
        r = config_load(&m->tree, &m->config, e);
    if (r >= 0)
        r = topology_load(&m->tree, topology, e);
    if (r >= 0)
        r = checks_rights(topology, e);
    if (r >= 0)
        r = setup_find_group(&m->group, e);
    if (r < 0)
        return r;
    if (mode == MODE_CHECK) {
        r = setup_check_directories(&m->tree, topology, e);
        if (r >= 0)
            r = setup_check_users(&m->tree, topology, e);
        return r < 0 ? r : checks_run(&m->tree, topology, m->config, e);
    }
    log_level_from_string(config_string(m->config, "hostlet", "log_level"), &level);
    log_set_max_level(level);
    r = setup_directories(&m->tree, topology, m->group, e);
    if (r >= 0)
        r = setup_check_users(&m->tree, topology, e);
    return r;
}

static int boot_and_loop(struct manager *m, struct topology *topology, struct error *e)
{
    int r = spawner_new(&m->tree, &m->spawner, e);
    if (r < 0)
        return r;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return error_os(e, errno, "cannot adopt the orphans of services");
    r = sd_event_default(&m->event);
    /* If systemd requests a watchdog (WATCHDOG_USEC), the event loop sends its notifications, so that a
     * blocked loop is detected. */
    if (r >= 0)
        r = sd_event_set_watchdog(m->event, true);
    if (r < 0)
        return error_os(e, -r, "cannot make the event loop");
    r = logs_open(m->event, e);
    if (r >= 0 && failpoint("boot.before_services") < 0)
        r = error_fail(e, EIO, "failpoint");
    if (r >= 0)
        r = manager_boot(m, topology, e);
    if (r >= 0 && (r = sd_event_loop(m->event)) < 0)
        error_os(e, -r, "the event loop broke");
    return r;
}

static int run(struct manager *m, const struct arguments *a, enum mode mode, struct topology *topology,
               struct error *e)
{
    _cleanup_close_ int lock = -1;
    int r = prepare(m, a, mode, topology, e);
    if (r < 0 || mode == MODE_CHECK)
        return r;
    if (failpoint("setup.before_lock") < 0)
        return error_fail(e, EIO, "failpoint");
    r = setup_lock(&m->tree, &lock, e);
    if (r == -EAGAIN && mode == MODE_SETUP)
        /* hostletd runs already: the directories and the id exist. */
        return 0;
    if (r < 0)
        return r;
    r = failpoint("setup.before_id") < 0 ? error_fail(e, EIO, "failpoint") : setup_tree_id(&m->tree, e);
    if (r >= 0 && mode == MODE_RUN)
        r = boot_and_loop(m, topology, e);
    setup_unlock(&m->tree);
    return r;
}

int main(int argc, char **argv)
{
    struct arguments a = ARGUMENTS_INIT;
    enum mode mode = MODE_RUN;
    struct topology topology = {.services = NULL};
    struct manager m = {.supervisor_fd = -1, .notification_fd = -1};
    struct error e = ERROR_INIT;
    if (fill_standard_descriptors() < 0)
        return EXIT_FAILED;
    allow_many_descriptors();
    failpoint_table(failpoints);
    log_open("hostletd", LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
    parse_arguments(argc, argv, &a, &mode);
    log_open("hostletd", a.log_format, LOG_LEVEL_INFO);
    if (geteuid() != 0)
        fatal(EXIT_PERMANENT, "hostletd must be started by root: its services give up what they do not need");
    int r = start_clean(&m, &a, &e);
    if (r >= 0)
        r = run(&m, &a, mode, &topology, &e);
    if (r < 0)
        log_error("%s", e.message);
    manager_done(&m);
    logs_close();
    topology_done(&topology);
    sd_event_unref(m.event);
    return r >= 0 ? r : e.class == ERROR_REFUSED ? EXIT_PERMANENT : EXIT_FAILED;
}
