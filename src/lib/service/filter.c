/* Implements filter.h with libseccomp. */
#include "lib/service/filter.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "config.h"

/* The system calls that libc and sd-event make for the event loop, sockets, log, memory, threads and the exit
 * of every service. */
static const char *const everyone[] = {
    /* memory (sysinfo: qsort() of more than a KiB reads the size of the memory), threads, time */
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "clone", "clone3", "set_robust_list", "rseq",
    "futex", "sched_getaffinity", "sched_yield", "exit", "exit_group", "gettid", "getpid", "clock_gettime",
    "time", "sysinfo", "membarrier", "getcpu", "clock_nanosleep", "nanosleep", "gettimeofday", "getrandom",
    "restart_syscall",
    /* signals, and the exit by a signal */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "sigaltstack", "kill", "tgkill",
    /* the event loop and its sockets */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "timerfd_create",
    "timerfd_settime", "signalfd4", "poll", "ppoll", "pselect6", "inotify_init1", "inotify_add_watch",
    "inotify_rm_watch", "accept4", "getsockopt", "getsockname", "getpeername", "pause", "recvfrom", "recvmsg",
    "sendto", "sendmsg", "shutdown",
    /* files */
    "read", "readv", "write", "writev", "close", "fcntl", "fstat", "newfstatat", "statx", "lseek", "openat",
    "openat2", "dup", "dup3", "pread64", "pwrite64", "access", "faccessat2", "readlink", "readlinkat",
#ifdef ENABLE_COVERAGE
    /* gcov makes the directories of its files at exit (lib/basic/coverage.c) */
    "umask", "mkdir", "access",
#endif
    /* properties of the process and the machine */
    "getuid", "geteuid", "getgid", "getegid", "uname", "prctl", "getppid", "getrusage", "prlimit64", NULL};

static int allow(scmp_filter_ctx filter, const char *const *calls, struct error *e)
{
    for (size_t i = 0; calls[i]; i++) {
        int number = seccomp_syscall_resolve_name(calls[i]);
        int r = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
        if (r < 0)
            return error_os(e, -r, "cannot allow the system call '%s'", calls[i]);
    }
    return 0;
}

int service_filter_install(const struct service_filter *service, struct error *e)
{
    /* The libseccomp macro SCMP_CMP() leaves a member uninitialized, about which clang warns. */
    const struct scmp_arg_cmp unix_sockets = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_UNIX};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return error_os(e, ENOMEM, "cannot make a filter of system calls");
    int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    /* sd_notify() uses a Unix socket. */
    if (r >= 0)
        r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &unix_sockets);
    if (r < 0)
        error_os(e, -r, "cannot make a filter of system calls");
    if (r >= 0)
        r = allow(filter, everyone, e);
    if (r >= 0)
        r = allow(filter, service->calls, e);
    if (r >= 0) {
        r = seccomp_load(filter);
        if (r < 0)
            error_os(e, -r, "cannot filter system calls");
    }
    seccomp_release(filter);
    return r;
}
