/* Implements seccomp_profile.h: builds the profile from tables.
 * The profile is an allow-list: the calls that Docker 20.10 allows by default, without some of them. A call
 * that is not listed here fails with EPERM, or with ENOSYS when its number is higher than that of each listed
 * call (runc does so to let programs fall back). Beyond Docker's default, the profile refuses:
 * - the calls that change the project of a file: two ioctls with their 32-bit forms (below), and
 * file_setattr(2), which is not listed. The kernel allows them to the owner of a file in the initial user
 * namespace, and disk quotas are charged to projects;
 * - io_uring, which executes operations that no filter checks;
 * - sockets of families that ordinary programs do not use.
 *
 * A refused call must be refused in every form that the kernel accepts: in calls of 64-bit programs, of
 * 32-bit programs (which a 64-bit program can make with int 0x80) and of x32, and with any value in the bits
 * of an argument that the kernel ignores. Therefore no rule uses "not equal": that compares 64 bits, and one
 * more bit would pass it. The rules state what is allowed. libseccomp combines several rules of one call with
 * "or", and several conditions of one rule on the same argument with "or" as well. */
#include "container-driver/seccomp_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "container-driver/reading.h"

#define ENOSYS_EVERYWHERE 38 /* the number is the same on all architectures of the profile */

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. In clone(2), bit 7 (NEWTIME) belongs to
 * the signal. */
#define CLONE_NEW_NAMESPACES 0x7e020000

/* FS_IOC_FSSETXATTR (0x401c5820), FS_IOC_SETFLAGS (0x40086602) and FS_IOC32_SETFLAGS (0x40046602) by their
 * low 16 bits, type and number. The 32-bit form differs only in the size, and the kernel ignores the bits of
 * the argument above bit 31. */
static const uint16_t refused_ioctls[] = {0x5820, 0x6602};

/* Allowed without a condition, on every architecture that has them. */
static const char *const files[] = {
    "_llseek",
    "access",
    "chdir",
    "chmod",
    "chown",
    "chown32",
    "close",
    "close_range",
    "copy_file_range",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fadvise64_64",
    "fallocate",
    "fanotify_mark",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchown32",
    "fchownat",
    "fcntl",
    "fcntl64",
    "fdatasync",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fremovexattr",
    "fsetxattr",
    "fstat",
    "fstat64",
    "fstatat64",
    "fstatfs",
    "fstatfs64",
    "fsync",
    "ftruncate",
    "ftruncate64",
    "futimesat",
    "getcwd",
    "getdents",
    "getdents64",
    "getxattr",
    "inotify_add_watch",
    "inotify_init",
    "inotify_init1",
    "inotify_rm_watch",
    "lchown",
    "lchown32",
    "lgetxattr",
    "link",
    "linkat",
    "listxattr",
    "llistxattr",
    "lremovexattr",
    "lseek",
    "lsetxattr",
    "lstat",
    "lstat64",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pipe",
    "pipe2",
    "pread64",
    "preadv",
    "preadv2",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readahead",
    "readlink",
    "readlinkat",
    "readv",
    "removexattr",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendfile",
    "sendfile64",
    "setxattr",
    "splice",
    "stat",
    "stat64",
    "statfs",
    "statfs64",
    "statx",
    "symlink",
    "symlinkat",
    "sync",
    "sync_file_range",
    "syncfs",
    "tee",
    "truncate",
    "truncate64",
    "umask",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimensat_time64",
    "utimes",
    "vmsplice",
    "write",
    "writev",
    NULL,
};
static const char *const waiting[] = {
    "_newselect",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_ctl_old",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "epoll_wait_old",
    "eventfd",
    "eventfd2",
    "io_cancel",
    "io_destroy",
    "io_getevents",
    "io_pgetevents",
    "io_pgetevents_time64",
    "io_setup",
    "io_submit",
    "poll",
    "ppoll",
    "ppoll_time64",
    "pselect6",
    "pselect6_time64",
    "select",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_gettime64",
    "timerfd_settime",
    "timerfd_settime64",
    NULL,
};
static const char *const memory[] = {
    "brk",        "madvise",  "membarrier",       "memfd_create", "memfd_secret",
    "mincore",    "mlock",    "mlock2",           "mlockall",     "mmap",
    "mmap2",      "mprotect", "mremap",           "msync",        "munlock",
    "munlockall", "munmap",   "remap_file_pages", NULL,
};
static const char *const processes[] = {
    "capget",
    "capset",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "fork",
    "get_robust_list",
    "get_thread_area",
    "getcpu",
    "getegid",
    "getegid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getgroups",
    "getgroups32",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getpriority",
    "getresgid",
    "getresgid32",
    "getresuid",
    "getresuid32",
    "getrlimit",
    "getrusage",
    "getsid",
    "gettid",
    "getuid",
    "getuid32",
    "ioprio_get",
    "ioprio_set",
    "kill",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "pause",
    "pidfd_open",
    "pidfd_send_signal",
    "prctl",
    "prlimit64",
    "process_mrelease",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_rr_get_interval",
    "sched_rr_get_interval_time64",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "sched_yield",
    "seccomp",
    "set_robust_list",
    "set_thread_area",
    "set_tid_address",
    "setfsgid",
    "setfsgid32",
    "setfsuid",
    "setfsuid32",
    "setgid",
    "setgid32",
    "setgroups",
    "setgroups32",
    "setpgid",
    "setpriority",
    "setregid",
    "setregid32",
    "setresgid",
    "setresgid32",
    "setresuid",
    "setresuid32",
    "setreuid",
    "setreuid32",
    "setrlimit",
    "setsid",
    "setuid",
    "setuid32",
    "sigaltstack",
    "sigprocmask",
    "sigreturn",
    "tgkill",
    "times",
    "tkill",
    "ugetrlimit",
    "vfork",
    "wait4",
    "waitid",
    "waitpid",
    NULL,
};
static const char *const synchronising[] = {
    "futex",
    "futex_time64",
    "futex_waitv",
    "ipc",
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedreceive_time64",
    "mq_timedsend",
    "mq_timedsend_time64",
    "mq_unlink",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "semtimedop_time64",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    NULL,
};
/* 32-bit programs with older C libraries make all of these calls through socketcall. Its arguments are in
 * memory, which no filter reads, so the families below do not restrict it; only the kernel's own checks
 * (CAP_NET_RAW) do. */
static const char *const network[] = {
    "accept",   "accept4", "bind",     "connect",    "getpeername",     "getsockname", "getsockopt",
    "listen",   "recv",    "recvfrom", "recvmmsg",   "recvmmsg_time64", "recvmsg",     "send",
    "sendmmsg", "sendmsg", "sendto",   "setsockopt", "shutdown",        "socketcall",  NULL,
};
static const char *const time_and_machine[] = {
    "adjtimex",
    "alarm",
    "clock_adjtime",
    "clock_adjtime64",
    "clock_getres",
    "clock_getres_time64",
    "clock_gettime",
    "clock_gettime64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "getitimer",
    "getrandom",
    "gettimeofday",
    "nanosleep",
    "setitimer",
    "sysinfo",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_gettime64",
    "timer_settime",
    "timer_settime64",
    "uname",
    NULL,
};
static const char *const *const allowed[] = {files,         waiting, memory,          processes,
                                             synchronising, network, time_and_machine};

/* Further calls, each with a condition that Docker evaluates. */
static const struct {
    const char *names[7];
    const char *capability, *min_kernel, *architectures[4];
} conditional[] = {
    {.names = {"chroot"}, .capability = "CAP_SYS_CHROOT"},
    /* Before 4.8 a tracer could change a call after the filter had seen it. */
    {.names = {"ptrace"}, .min_kernel = "4.8"},
    {.names = {"arch_prctl"}, .architectures = {"amd64", "x32"}},
    {.names = {"modify_ldt"}, .architectures = {"amd64", "x32", "x86"}},
    {.names = {"arm_fadvise64_64", "arm_sync_file_range", "sync_file_range2", "breakpoint", "cacheflush",
               "set_tls"},
     .architectures = {"arm", "arm64"}},
};

/* PER_LINUX and PER_LINUX32, each also with UNAME26, and the value that reads the current personality. */
static const uint64_t personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

static const struct {
    int family;
    const char *capability;
} families[] = {
    {AF_UNIX, NULL}, {AF_INET, NULL}, {AF_INET6, NULL}, {AF_NETLINK, NULL}, {AF_PACKET, "CAP_NET_RAW"}};

static json_t *names_of(const char *const *names)
{
    json_t *array = json_array();
    for (; *names; names++)
        json_array_append_new(array, json_string(*names));
    return array;
}

static json_t *add_rule(json_t *rules, json_t *names, const char *action)
{
    json_t *rule = json_pack("{s:o, s:s}", "names", names, "action", action);
    json_array_append_new(rules, rule);
    return rule;
}

/* Adds a rule with one condition on argument 'index'. MASKED_EQ: (argument & value) == value_two, in all 64
 * bits. */
static json_t *add_condition(json_t *rules, const char *name, unsigned index, const char *op, uint64_t value,
                             uint64_t value_two)
{
    json_t *rule = add_rule(rules, json_pack("[s]", name), "SCMP_ACT_ALLOW");
    json_object_set_new(rule, "args",
                        json_pack("[{s:i, s:I, s:I, s:s}]", "index", (int)index, "value", (json_int_t)value,
                                  "valueTwo", (json_int_t)value_two, "op", op));
    return rule;
}

static void include_capability(json_t *rule, const char *capability)
{
    if (capability)
        json_object_set_new(rule, "includes", json_pack("{s:[s]}", "caps", capability));
}

/* Allows every ioctl except the refused ones, by the low 16 bits of its number. The function walks a binary
 * tree of prefixes from bit 15 down: it allows a prefix that no refused value has, and divides every other
 * one. */
static void add_ioctls(json_t *rules, unsigned bit, uint16_t prefix)
{
    uint16_t mask = (uint16_t)(0xffffu << bit);
    bool refused = false;
    for (size_t i = 0; i < ARRAY_SIZE(refused_ioctls); i++)
        refused |= (refused_ioctls[i] & mask) == prefix;
    if (!refused) {
        add_condition(rules, "ioctl", 1, "SCMP_CMP_MASKED_EQ", mask, prefix);
    } else if (bit > 0) {
        add_ioctls(rules, bit - 1, prefix);
        add_ioctls(rules, bit - 1, (uint16_t)(prefix | 1u << (bit - 1)));
    }
}

static void add_conditional(json_t *rules)
{
    for (size_t i = 0; i < ARRAY_SIZE(conditional); i++) {
        json_t *rule = add_rule(rules, names_of(conditional[i].names), "SCMP_ACT_ALLOW");
        include_capability(rule, conditional[i].capability);
        if (conditional[i].min_kernel)
            json_object_set_new(rule, "includes", json_pack("{s:s}", "minKernel", conditional[i].min_kernel));
        if (conditional[i].architectures[0])
            json_object_set_new(rule, "includes",
                                json_pack("{s:o}", "arches", names_of(conditional[i].architectures)));
    }
    for (size_t i = 0; i < ARRAY_SIZE(personalities); i++)
        add_condition(rules, "personality", 0, "SCMP_CMP_EQ", personalities[i], 0);
    for (size_t i = 0; i < ARRAY_SIZE(families); i++)
        include_capability(add_condition(rules, "socket", 0, "SCMP_CMP_EQ", (uint64_t)families[i].family, 0),
                           families[i].capability);
    add_condition(rules, "socketpair", 0, "SCMP_CMP_EQ", AF_UNIX, 0);
    add_condition(rules, "clone", 0, "SCMP_CMP_MASKED_EQ", CLONE_NEW_NAMESPACES, 0);
    /* The flags of clone3 are in memory, which no filter reads. After ENOSYS, C libraries use clone. */
    json_object_set_new(add_rule(rules, json_pack("[s]", "clone3"), "SCMP_ACT_ERRNO"), "errnoRet",
                        json_integer(ENOSYS_EVERYWHERE));
    add_ioctls(rules, 16, 0);
}

char *seccomp_profile_text(void)
{
    _cleanup_json_ json_t *profile = json_pack(
        "{s:s, s:[{s:s, s:[s, s]}, {s:s, s:[s]}], s:[]}", "defaultAction", "SCMP_ACT_ERRNO", "archMap",
        "architecture", "SCMP_ARCH_X86_64", "subArchitectures", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
        "architecture", "SCMP_ARCH_AARCH64", "subArchitectures", "SCMP_ARCH_ARM", "syscalls");
    json_t *rules = json_object_get(profile, "syscalls"), *names = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
        _cleanup_json_ json_t *group = names_of(allowed[i]);
        json_array_extend(names, group);
    }
    add_rule(rules, names, "SCMP_ACT_ALLOW");
    add_conditional(rules);
    char *text = profile ? json_dumps(profile, JSON_COMPACT) : NULL;
    if (!text)
        abort();
    return text;
}
