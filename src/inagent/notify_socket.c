/* Implements notify_socket.h.
 *
 * The kernel states the sender's process id. A sender that has exited, and that its parent has reaped, can no
 * longer be found, so that its message does not count: systemd-notify(1) and sd_notify_barrier(3) wait until
 * the descriptor that they send is closed. */
#include "inagent/notify_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

/* Messages in a second; the senders of more wait in the kernel's queue. */
#define RATE_MAX  200
#define RATE_USEC USEC_PER_SEC
/* The kernel's limit of descriptors in one message. */
#define DESCRIPTORS_MAX 253
/* Parents that are followed; the limit of nested process ids is of this order, too. */
#define DEPTH_MAX 256

int notify_socket_open(struct notify_socket *s, struct error *e)
{
    static const int on = 1;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        return error_os(e, errno, "cannot make a socket for sd_notify");
    /* An address without a name lets the kernel choose a free one: NUL and five hexadecimal digits. */
    if (bind(fd, (struct sockaddr *)&address, sizeof address.sun_family) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return error_os(e, errno, "cannot bind a socket for sd_notify");
    size_t n = size - offsetof(struct sockaddr_un, sun_path);
    if (n < 2 || n >= sizeof s->address)
        return error_os(e, EPROTO, "cannot use the address of the socket for sd_notify");
    memcpy(s->address, address.sun_path, n);
    s->address[0] = '@';
    s->address[n] = '\0';
    s->fd = TAKE_FD(fd);
    return 0;
}

void notify_socket_close(struct notify_socket *s)
{
    s->fd = close_fd(s->fd);
}

/* Returns the parent of a process; 0: it does not exist, or has none here. */
static pid_t parent_of(pid_t pid)
{
    char path[32], text[512];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    /* "PID (NAME) STATE PARENT": the name can contain parentheses. */
    const char *end = strrchr(text, ')');
    return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

bool notify_belongs(pid_t pid, pid_t shell)
{
    if (pid <= 1 || shell <= 1)
        return false;
    if (getsid(pid) == shell)
        return true;
    for (unsigned i = 0; i < DEPTH_MAX && pid > 1; i++) {
        if (pid == shell)
            return true;
        pid = parent_of(pid);
    }
    return false;
}

/* Returns the sender of a message; 0: not known. */
static pid_t sender_of(struct msghdr *header)
{
    pid_t pid = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        struct ucred sender;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
            c->cmsg_len < CMSG_LEN(sizeof sender))
            continue;
        memcpy(&sender, CMSG_DATA(c), sizeof sender);
        pid = sender.pid;
    }
    return pid;
}

static void close_descriptors(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            int fd;
            memcpy(&fd, (const char *)c + at, sizeof fd);
            close(fd);
        }
    }
}

static void ignore(struct notify_socket *s, pid_t pid, const char *why)
{
    if (!s->reported)
        log_notice("a message of process %d to NOTIFY_SOCKET is ignored: %s; further ones are not logged",
                   (int)pid, why);
    s->reported = true;
}

static bool has_room(struct notify_socket *s, uint64_t now)
{
    if (now - s->since >= RATE_USEC) {
        s->since = now;
        s->n = 0;
    }
    return s->n < RATE_MAX;
}

bool notify_socket_read(struct notify_socket *s, pid_t shell, uint64_t now, struct notify_message *ret)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    char data[NOTIFY_MESSAGE_MAX + 1];
    while (s->fd >= 0 && has_room(s, now)) {
        struct iovec part = {data, sizeof data};
        struct msghdr header = {.msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = control.bytes,
                                .msg_controllen = sizeof control.bytes};
        ssize_t n = recvmsg(s->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
            return false;
        s->n++;
        pid_t pid = sender_of(&header);
        bool belongs = notify_belongs(pid, shell);
        close_descriptors(&header); /* afterwards, because a sender that waits for a barrier exits now */
        if (!belongs)
            ignore(s, pid, "the task with ready = \"notify\" has no such process (or it has exited already)");
        else if (!notify_message_parse(data, (size_t)n, ret))
            ignore(s, pid, "it is empty, longer than 4096 bytes, or contains a NUL");
        else
            return true;
    }
    return false;
}

int notify_socket_fd(const struct notify_socket *s)
{
    return s->n < RATE_MAX ? s->fd : -1;
}

uint64_t notify_socket_wakeup(const struct notify_socket *s)
{
    return s->fd >= 0 && s->n >= RATE_MAX ? s->since + RATE_USEC : UINT64_MAX;
}
