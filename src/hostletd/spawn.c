/* Implements spawn.h. */
#include "hostletd/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/loop/wall_guard.h"

/* Numbers of the descriptors that a child gets. hostletd keeps no descriptors of its own at these numbers, so
 * that dup2() closes none. */
enum {
    CHILD_SOCKETS = 3,
    CHILD_READY = CHILD_SOCKETS + 2 + SERVICE_TCP_MAX,
    CHILD_LIFELINE,
    CHILD_NETNS,
    _CHILD_END
};
static_assert(_CHILD_END <= SPAWN_FIRST_FREE, "a child's descriptors must not replace those of hostletd");
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

#define ARGUMENTS_MAX 16
#define LISTEN_PID    "LISTEN_PID="
#define PER_START     4 /* number of variables that one start adds */

struct spawner {
    const struct tree *tree;
    int null_fd, netns;
    char **environment; /* ends with NULL; with room for the variables that one start adds */
    size_t n_environment;
    struct clock clock;
    struct wall_guard wall;
};

struct start {
    const char *program;
    char *const *arguments, *const *environment;
    char *listen_pid; /* after "LISTEN_PID="; the child writes it */
    const struct spawn_sockets *sockets;
    int null_fd, log_fd, ready_fd, lifeline_fd, netns_fd;
    pid_t parent;
    /* Written by the child, which shares the memory of hostletd until it calls execve(). */
    volatile int errnum;
};

static int put_fd(int from, int to)
{
    return from < 0 ? 0 : dup2(from, to);
}

static void write_pid(char *to, pid_t pid)
{
    char digits[16];
    size_t n = 0;
    for (; pid > 0; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n > 0)
        *to++ = digits[--n];
    *to = '\0';
}

/* Runs in the child, in the memory of hostletd: it may only make system calls and write to 's'. */
static void child_execute(struct start *s)
{
    sigset_t none;
    sigemptyset(&none);
    write_pid(s->listen_pid, getpid());
    for (size_t i = 0; i < s->sockets->n; i++)
        if (put_fd(s->sockets->fds[i], CHILD_SOCKETS + (int)i) < 0) {
            s->errnum = errno;
            _exit(127);
        }
    if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != s->parent ||
        put_fd(s->null_fd, STDIN_FILENO) < 0 || put_fd(s->log_fd, STDOUT_FILENO) < 0 ||
        put_fd(s->log_fd, STDERR_FILENO) < 0 || put_fd(s->ready_fd, CHILD_READY) < 0 ||
        put_fd(s->lifeline_fd, CHILD_LIFELINE) < 0 || put_fd(s->netns_fd, CHILD_NETNS) < 0 ||
        signal(SIGPIPE, SIG_DFL) == SIG_ERR || sigprocmask(SIG_SETMASK, &none, NULL) < 0) {
        s->errnum = errno;
        _exit(127);
    }
    execve(s->program, s->arguments, s->environment);
    s->errnum = errno;
    _exit(127);
}

/* Starts the child by vfork(): hostletd is suspended until the child calls execve(), and no page tables are
 * copied. */
static __attribute__((noinline)) pid_t run_child(struct start *s)
{
    pid_t pid = vfork();
    if (pid == 0)
        child_execute(s);
    return pid;
}

static char *compare_clocks(struct spawner *s)
{
    if (wall_guard_compare(&s->wall))
        log_warning(
            "the clock was set forward by more than a day: kept data and other durable objects do not "
            "expire for an hour");
    _cleanup_free_ char *text = wall_guard_text(&s->wall);
    return xasprintf(WALL_GUARD_VARIABLE "=%s", text);
}

/* Runs the program with the arguments that every service gets and with 'how' and its value (NULL: none). */
static int execute(struct spawner *spawner, const struct service_conf *conf, const char *how,
                   const char *value, struct start *start, pid_t *ret_pid, struct error *e)
{
    const struct tree *tree = spawner->tree;
    _cleanup_free_ char *program =
        conf->exec[0] == '/' ? xstrdup(conf->exec) : tree_program(tree, conf->exec);
    char *arguments[ARGUMENTS_MAX] = {program, "--services", tree->services, "--libexec", tree->libexec};
    size_t n = 5;
    if (tree->prefix) {
        arguments[n++] = "--prefix";
        arguments[n++] = tree->prefix;
    }
    arguments[n++] = (char *)how;
    arguments[n++] = (char *)value;
    const struct spawn_sockets *sockets = start->sockets;
    char listen_pid[sizeof LISTEN_PID + 16] = LISTEN_PID;
    _cleanup_free_ char *listen_fds = xasprintf("LISTEN_FDS=%zu", sockets->n),
                        *names = xasprintf("LISTEN_FDNAMES=%s", sockets->names ?: ""),
                        *clock = compare_clocks(spawner);
    char **added = spawner->environment + spawner->n_environment;
    memcpy(added, (char *[]){clock, sockets->n > 0 ? listen_pid : NULL, listen_fds, names, NULL},
           (PER_START + 1) * sizeof *added);
    start->program = program;
    start->arguments = arguments;
    start->environment = spawner->environment;
    start->listen_pid = listen_pid + strlen(LISTEN_PID);
    start->null_fd = spawner->null_fd;
    start->netns_fd = conf->network ? -1 : spawner->netns;
    start->parent = getpid();
    pid_t pid = run_child(start);
    if (pid < 0)
        return error_os(e, errno, "cannot start a process");
    if (start->errnum) {
        waitpid(pid, NULL, 0);
        return error_os(e, start->errnum, "cannot execute '%s'", program);
    }
    *ret_pid = pid;
    return 0;
}

int spawner_start(struct spawner *spawner, const struct service_conf *conf,
                  const struct spawn_sockets *sockets, int log_fd, pid_t *ret_pid, int *ret_ready_fd,
                  int *ret_lifeline, struct error *e)
{
    int ready[2], lifeline[2];
    if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_os(e, errno, "cannot make a pipe for the readiness of '%s'", conf->name);
    _cleanup_close_ int reading = ready[0], writing = ready[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, lifeline) < 0)
        return error_os(e, errno, "cannot make the lifeline of '%s'", conf->name);
    _cleanup_close_ int own_end = lifeline[0], its_end = lifeline[1];
    struct start start = {.log_fd = log_fd, .sockets = sockets, .ready_fd = writing, .lifeline_fd = its_end};
    static_assert(CHILD_READY == 9, "as the argument says");
    int r = execute(spawner, conf, "--notification-fd", TEXT(9), &start, ret_pid, e);
    if (r < 0)
        return r;
    *ret_ready_fd = TAKE_FD(reading);
    *ret_lifeline = TAKE_FD(own_end);
    return 0;
}

int spawner_check(struct spawner *spawner, const struct service_conf *conf, int log_fd, pid_t *ret_pid,
                  struct error *e)
{
    const struct spawn_sockets none = {.n = 0};
    struct start start = {.log_fd = log_fd, .sockets = &none, .ready_fd = -1, .lifeline_fd = -1};
    return execute(spawner, conf, "--check", NULL, &start, ret_pid, e);
}

/* Reports whether a variable of hostletd's environment must not be passed to a child. */
static bool is_ours(const char *assignment)
{
    static const char *const names[] = {
        "NOTIFY_SOCKET=",    "LISTEN_PID=",          "LISTEN_FDS=",     "LISTEN_FDNAMES=",
        "WATCHDOG_USEC=",    "WATCHDOG_PID=",        "JOURNAL_STREAM=", "HOSTLET_LIFELINE_FD=",
        "HOSTLET_NETNS_FD=", WALL_GUARD_VARIABLE "="};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (after_prefix(assignment, names[i]))
            return true;
    return false;
}

static void make_environment(struct spawner *s)
{
    size_t n = 0;
    while (environ[n])
        n++;
    s->environment = xcalloc(n + 2 + PER_START + 1, sizeof *s->environment);
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i]))
            s->environment[s->n_environment++] = xstrdup(environ[i]);
    s->environment[s->n_environment++] = xasprintf("HOSTLET_LIFELINE_FD=%d", CHILD_LIFELINE);
    if (s->netns >= 0)
        s->environment[s->n_environment++] = xasprintf("HOSTLET_NETNS_FD=%d", CHILD_NETNS);
}

/* Returns a descriptor of an empty network namespace that all workers without network join, because creating
 * one takes several times as long. Returns −1 if that is not possible; each worker then creates its own. */
static int make_empty_netns(void)
{
    _cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), empty = -1;
    if (own < 0 || unshare(CLONE_NEWNET) < 0) {
        log_warning("cannot make an empty network namespace: %s; services without a network make their own",
                    strerrordesc_np(errno));
        return -1;
    }
    empty = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (setns(own, CLONE_NEWNET) < 0)
        fatal(EXIT_FAILED, "cannot return to the own network namespace: %s", strerrordesc_np(errno));
    return TAKE_FD(empty);
}

int spawner_new(const struct tree *tree, struct spawner **ret, struct error *e)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd < SPAWN_FIRST_FREE)
        ;
    if (fd < 0)
        return error_os(e, errno, "cannot open '/dev/null'");
    struct spawner *s = xcalloc(1, sizeof *s);
    *s = (struct spawner){.tree = tree, .null_fd = fd, .netns = make_empty_netns()};
    make_environment(s);
    clock_init(&s->clock, NULL);
    wall_guard_init(&s->wall, &s->clock, NULL);
    *ret = s;
    return 0;
}

void spawner_free(struct spawner *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_environment; i++)
        free(s->environment[i]);
    free(s->environment);
    close_fd(s->null_fd);
    close_fd(s->netns);
    free(s);
}
