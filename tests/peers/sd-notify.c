/* Sends messages of sd_notify(3) to NOTIFY_SOCKET, as an application or an attacker: a static client without
 * libsystemd, for containers. Each argument is a message, in which "\n" ends a line, or one of the options
 * below. It exits with 1 at the first failure. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 250 /* of musl's sendmsg(); the kernel has 253 */

static const char usage[] =
    "Usage: sd-notify [MESSAGE | OPTION]...\n"
    "  --to=ADDRESS   the socket instead of NOTIFY_SOCKET\n"
    "  --barrier      send BARRIER=1 and wait until the descriptor is closed\n"
    "  --store=N      send FDSTORE=1 with N descriptors and wait until all are closed\n"
    "  --raw=SIZE     send a message of this many bytes\n"
    "  --flood=N      send STATUS=flood this many times\n"
    "  --daemon       leave the session and the parents, and go on\n"
    "  --ping=MSEC    send WATCHDOG=1 at this interval, for ever\n"
    "  --pause        sleep for ever\n";

static const char *address;

static void fail(const char *what)
{
    fprintf(stderr, "sd-notify: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_data(const void *data, size_t size, const int *fds, size_t n_fds)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = address ? strlen(address) : 0;
    if (n < 2 || n >= sizeof to.sun_path)
        fail("NOTIFY_SOCKET");
    memcpy(to.sun_path, address, n);
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0';
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {(void *)data, size};
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n),
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    if (n_fds > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendmsg(fd, &message, 0) < 0)
        fail("send");
    close(fd);
}

static void send_text(const char *text)
{
    char *copy = strdup(text), *to = copy;
    if (!copy)
        fail("memory");
    for (const char *from = copy; *from; from++)
        if (from[0] == '\\' && from[1] == 'n') {
            *to++ = '\n';
            from++;
        } else {
            *to++ = *from;
        }
    send_data(copy, (size_t)(to - copy), NULL, 0);
    free(copy);
}

/* Sends 'n' descriptors of a pipe and waits until the receiver has closed all. */
static void send_descriptors(const char *text, size_t n)
{
    int ends[2], fds[FDS_MAX];
    if (n < 1 || n > FDS_MAX || pipe(ends) < 0)
        fail("descriptors");
    for (size_t i = 0; i < n; i++)
        fds[i] = ends[1];
    send_data(text, strlen(text), fds, n);
    close(ends[1]);
    struct pollfd closed = {.fd = ends[0]};
    if (poll(&closed, 1, 20000) != 1 || !(closed.revents & POLLHUP)) {
        errno = ETIMEDOUT;
        fail("the receiver did not close the descriptors");
    }
    close(ends[0]);
}

static void leave(void)
{
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid > 0)
        _exit(0);
    if (setsid() < 0 || (pid = fork()) < 0)
        fail("leave");
    if (pid > 0)
        _exit(0);
    while (getppid() != 1)
        usleep(1000);
}

static void run_option(const char *option, const char *value)
{
    unsigned long n = value ? strtoul(value, NULL, 10) : 0;
    if (strcmp(option, "to") == 0 && value) {
        address = value;
    } else if (strcmp(option, "barrier") == 0) {
        send_descriptors("BARRIER=1", 1);
    } else if (strcmp(option, "store") == 0) {
        send_descriptors("FDSTORE=1\nFDNAME=listener", n);
    } else if (strcmp(option, "raw") == 0) {
        char *data = malloc(n);
        if (!data)
            fail("memory");
        memset(data, 'x', n);
        send_data(data, n, NULL, 0);
        free(data);
    } else if (strcmp(option, "flood") == 0) {
        for (; n > 0; n--)
            send_text("STATUS=flood");
    } else if (strcmp(option, "daemon") == 0) {
        leave();
    } else if (strcmp(option, "ping") == 0) {
        for (;; usleep((useconds_t)n * 1000))
            send_text("WATCHDOG=1");
    } else if (strcmp(option, "pause") == 0) {
        for (;;)
            pause();
    } else {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char *argv[])
{
    address = getenv("NOTIFY_SOCKET");
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            send_text(argv[i]);
            continue;
        }
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        run_option(argv[i] + 2, value);
    }
    return 0;
}
