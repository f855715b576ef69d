/* Attempts the system calls of a hostile tenant in a container; do not run it anywhere else. It makes the
 * calls as a 64-bit program, as a 32-bit program (int 0x80) and in the x32 ABI, with additional bits that the
 * kernel ignores. The program is static, so that it runs in any image. It prints "NAME ERRNO" for each
 * attempt, with an ERRNO of 0 for a success; the tests know the expected results. The first argument is the
 * beginning of the names of the attempts to make. "forge-arp ADDRESS" claims an address of the network for
 * this container. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

#define FS_IOC_FSGETXATTR_   0x801c581ful
#define FS_IOC_FSSETXATTR_   0x401c5820ul
#define FS_IOC_GETFLAGS_     0x80086601ul
#define FS_IOC_SETFLAGS_     0x40086602ul
#define FS_IOC32_SETFLAGS_   0x40046602ul
#define FIONREAD_            0x541bul
#define NEW_USER             0x10000000
#define FILE_SETATTR         469
#define X32                  0x40000000
#define PROJECT              4711
#define FLAG_PROJECT_INHERIT 0x200

struct attributes {
    uint32_t flags, extent_size, n_extents, project, cow_extent_size;
    unsigned char rest[8];
};

static const char *wanted = "";
static int file = -1;
static struct attributes *low; /* below 4 GiB, so that a 32-bit call can use its address */

static void say(const char *name, long result)
{
    printf("%s %d\n", name, result == -1 ? errno : 0);
}

static int is_wanted(const char *name)
{
    return strncmp(name, wanted, strlen(wanted)) == 0;
}

#define TRY(name, ...)                                                                                       \
    do {                                                                                                     \
        if (is_wanted(name)) {                                                                               \
            errno = 0;                                                                                       \
            say(name, __VA_ARGS__);                                                                          \
        }                                                                                                    \
    } while (0)

static const struct {
    const char *name;
    unsigned long command;
} commands[] = {
    {"fssetxattr", FS_IOC_FSSETXATTR_}, {"setflags", FS_IOC_SETFLAGS_}, {"setflags32", FS_IOC32_SETFLAGS_},
    {"fsgetxattr", FS_IOC_FSGETXATTR_}, {"getflags", FS_IOC_GETFLAGS_}, {"fionread", FIONREAD_},
};

static void fill(void)
{
    memset(low, 0, sizeof *low);
    low->flags = FLAG_PROJECT_INHERIT;
    low->project = PROJECT;
}

static void try_ioctls(const char *abi, long (*call)(unsigned long command))
{
    static const struct {
        const char *name;
        unsigned long bits;
    } highs[] = {{"", 0}, {".bit32", 1ul << 32}, {".bit63", 1ul << 63}, {".all-high", 0xfffffffful << 32}};
    char name[64];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        for (size_t j = 0; j < sizeof highs / sizeof *highs; j++) {
            snprintf(name, sizeof name, "%s.ioctl.%s%s", abi, commands[i].name, highs[j].name);
            fill();
            if (commands[i].command == FS_IOC_FSSETXATTR_)
                low->flags =
                    0; /* for a file, ext4 would refuse the directories' flag before it checks the project */
            TRY(name, call(commands[i].command | highs[j].bits));
        }
}

static long ioctl_64(unsigned long command)
{
    return syscall(SYS_ioctl, file, command, low);
}

/* Returns the result of a fork in the parent; the child exits at once. */
static long parent_of(long pid)
{
    if (pid == 0)
        _exit(0);
    return pid;
}

#ifdef __x86_64__
static long call_32(long number, long a, long b, long c, long d, long e)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory", "r8", "r9", "r10", "r11");
    int code = (int)result;
    if (code < 0 && code > -4096) {
        errno = -code;
        return -1;
    }
    return code;
}

static long ioctl_32(unsigned long command)
{
    return call_32(54, file, (long)command, (long)low, 0, 0);
}

static long ioctl_x32(unsigned long command)
{
    return syscall(X32 | 514, file, command, low);
}

static long ioctl_x32_plain(unsigned long command)
{
    return syscall(X32 | SYS_ioctl, file, command, low);
}

static long fork_32(long flags)
{
    return parent_of(call_32(120, flags | SIGCHLD, 0, 0, 0, 0));
}

static void try_other_abis(void)
{
    try_ioctls("32", ioctl_32);
    try_ioctls("x32", ioctl_x32);
    try_ioctls("x32-plain", ioctl_x32_plain);
    strcpy((char *)(low + 8), "/tmp");
    TRY("32.getpid", call_32(20, 0, 0, 0, 0, 0));
    TRY("32.file_setattr", call_32(FILE_SETATTR, AT_FDCWD, (long)(low + 8), (long)low, 24, 0));
    TRY("32.unshare", call_32(310, NEW_USER, 0, 0, 0, 0));
    TRY("32.clone-newuser", fork_32(NEW_USER));
    TRY("32.clone", fork_32(0));
    TRY("32.clone3", parent_of(call_32(435, (long)low, 64, 0, 0, 0)));
    TRY("32.quotactl", call_32(131, 0, 0, 0, 0, 0));
    TRY("32.socket-vsock", call_32(359, 40, SOCK_STREAM, 0, 0, 0));
    TRY("32.socket-inet", call_32(359, AF_INET, SOCK_STREAM, 0, 0, 0));
    uint32_t *arguments = (uint32_t *)(low + 16);
    memcpy(arguments, (uint32_t[]){AF_PACKET, SOCK_RAW, 0x0300}, 12);
    TRY("32.socketcall-packet", call_32(102, 1, (long)arguments, 0, 0, 0));
    memcpy(arguments, (uint32_t[]){AF_INET, SOCK_RAW, 1}, 12);
    TRY("32.socketcall-raw", call_32(102, 1, (long)arguments, 0, 0, 0));
    memcpy(arguments, (uint32_t[]){AF_INET, SOCK_STREAM, 0}, 12);
    TRY("32.socketcall-inet", call_32(102, 1, (long)arguments, 0, 0, 0));
    TRY("x32.file_setattr", syscall(X32 | FILE_SETATTR, AT_FDCWD, "/tmp", low, 24, 0));
    TRY("x32.unshare", syscall(X32 | SYS_unshare, NEW_USER));
}
#else
static void try_other_abis(void)
{
}
#endif

static long fork_with(unsigned long flags)
{
    return parent_of(syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
}

static long make_device(void)
{
    int r = mknod("/tmp/probe-device", S_IFCHR | 0600, makedev(1, 3));
    int code = errno;
    unlink("/tmp/probe-device");
    errno = code;
    return r;
}

static long make_fifo(void)
{
    int r = mknod("/tmp/probe-fifo", S_IFIFO | 0600, 0);
    unlink("/tmp/probe-fifo");
    return r;
}

static void try_sockets(void)
{
    static const struct {
        const char *name;
        unsigned long family;
        int type, protocol;
    } sockets[] = {
        {"socket.unix", AF_UNIX, SOCK_STREAM, 0},
        {"socket.inet", AF_INET, SOCK_STREAM, 0},
        {"socket.netlink", AF_NETLINK, SOCK_RAW, 0},
        {"socket.icmp-datagram", AF_INET, SOCK_DGRAM, 1},
        {"socket.raw-icmp", AF_INET, SOCK_RAW, 1},
        {"socket.raw-icmpv6", AF_INET6, SOCK_RAW, 58},
        {"socket.packet-raw", AF_PACKET, SOCK_RAW, 0x0300},
        {"socket.packet-datagram", AF_PACKET, SOCK_DGRAM, 0x0300},
        {"socket.inet-packet", AF_INET, 10, 0x0300},
        {"socket.vsock", AF_VSOCK, SOCK_STREAM, 0},
        {"socket.vsock.bit32", AF_VSOCK | 1ul << 32, SOCK_STREAM, 0},
        {"socket.alg", AF_ALG, SOCK_SEQPACKET, 0},
        {"socket.alg.bit63", AF_ALG | 1ul << 63, SOCK_SEQPACKET, 0},
    };
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
        TRY(sockets[i].name, syscall(SYS_socket, sockets[i].family, sockets[i].type, sockets[i].protocol));
    int pair[2];
    TRY("socketpair.unix", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
    TRY("socketpair.tipc", syscall(SYS_socketpair, 30, SOCK_STREAM, 0, pair));
}

static void try_calls(void)
{
    TRY("64.file_setattr", syscall(FILE_SETATTR, AT_FDCWD, "/tmp", low, 24, 0));
    TRY("unshare.user", syscall(SYS_unshare, NEW_USER));
    TRY("clone.user", fork_with(NEW_USER));
    TRY("clone.user.bit32", fork_with(NEW_USER | 1ul << 32));
    TRY("clone.net", fork_with(0x40000000));
    TRY("clone.plain", fork_with(0));
    TRY("clone3", parent_of(syscall(435, low, 64)));
    TRY("setns", syscall(SYS_setns, file, 0));
    TRY("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, 0));
    TRY("open_tree", syscall(428, AT_FDCWD, "/", 1));
    TRY("fsopen", syscall(430, "tmpfs", 0));
    TRY("quotactl", syscall(SYS_quotactl, 0, 0, 0, 0));
    TRY("bpf", syscall(SYS_bpf, 0, 0, 0));
    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 0));
    TRY("add_key", syscall(SYS_add_key, "user", "probe", "x", 1, -3));
    TRY("request_key", syscall(SYS_request_key, "user", "probe", 0, -3));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 0));
    TRY("perf_event_open", syscall(SYS_perf_event_open, low, 0, -1, -1, 0));
    TRY("io_uring_setup", syscall(425, 1, low));
    TRY("io_uring_enter", syscall(426, file, 0, 0, 0, 0, 0));
    TRY("io_uring_register", syscall(427, file, 0, 0, 0));
    TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, file, low, 0));
    TRY("pivot_root", syscall(SYS_pivot_root, "/", "/"));
    TRY("syslog", syscall(SYS_syslog, 10, 0, 0));
    TRY("personality.read-implies-exec", syscall(SYS_personality, 0x0400000));
    TRY("personality.query", syscall(SYS_personality, 0xffffffff));
    TRY("chroot", chroot("/"));
    TRY("mknod.device", make_device());
    TRY("mknod.fifo", make_fifo());
}

/* Sends an ARP reply to the network of eth0 that assigns 'address' to this container, which CAP_NET_RAW
 * allows. Returns 0 or an errno. */
static int forge_arp(const char *address)
{
    struct ether_arp arp = {.arp_hrd = htons(ARPHRD_ETHER),
                            .arp_pro = htons(ETH_P_IP),
                            .arp_hln = 6,
                            .arp_pln = 4,
                            .arp_op = htons(ARPOP_REPLY)};
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_halen = 6};
    struct ifreq device = {.ifr_name = "eth0"};
    int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ARP));
    if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &device) < 0)
        return errno;
    to.sll_ifindex = device.ifr_ifindex;
    memset(to.sll_addr, 0xff, 6);
    if (ioctl(fd, SIOCGIFHWADDR, &device) < 0)
        return errno;
    memcpy(arp.arp_sha, device.ifr_hwaddr.sa_data, 6);
    memcpy(arp.arp_tha, arp.arp_sha, 6); /* otherwise a recent entry is not overwritten */
    inet_pton(AF_INET, address, arp.arp_spa);
    inet_pton(AF_INET, address, arp.arp_tpa);
    return sendto(fd, &arp, sizeof arp, 0, (struct sockaddr *)&to, sizeof to) < 0 ? errno : 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "forge-arp") == 0) {
        printf("forge-arp %d\nend\n", forge_arp(argv[2]));
        return 0;
    }
    char path[] = "/tmp/probe-XXXXXX";
    if (argc > 1)
        wanted = argv[1];
    low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    /* A file of the caller: a named one, or one without a name. */
    file = argc > 2 ? open(argv[2], O_RDWR | O_CREAT, 0600) : (int)syscall(SYS_memfd_create, path, 0);
    if (low == MAP_FAILED || file < 0) {
        perror("tenant-probe");
        return 1;
    }
    signal(SIGSYS, SIG_DFL);
    try_ioctls("64", ioctl_64);
    try_other_abis();
    try_sockets();
    try_calls();
    while (wait(NULL) > 0)
        ;
    puts("end");
    return 0;
}
