/* Implements agent_peer.h.
 *
 * The kernel stores the process that called connect(), by an id that can be another process's by now. Where
 * the kernel has a descriptor of it (Linux 6.5), that says whether it still runs. Before, a tenant can have
 * his connection counted for another container if he has that id used again before the connection is
 * accepted, which happens at once: then he takes places for seconds, of many tries. */
#include "rpc-gateway/agent_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/hash.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define ID_DIGITS  64
#define CGROUP_MAX 8192 /* bytes of the file that are read */

/* Returns the path in the line of one hierarchy, "4:memory:/docker/…", and its length; NULL for another text.
 */
static const char *path_of(const char *line, size_t *ret)
{
    const char *colon = strchr(line, ':'), *path = colon ? strchr(colon + 1, ':') : NULL;
    size_t n = strcspn(line, "\n");
    if (!path || path >= line + n)
        return NULL;
    *ret = n - (size_t)(path + 1 - line);
    return path + 1;
}

/* Returns how much of the path its group has in common with this process's group of the same hierarchy, in
 * whole names. */
static size_t shared_part(const char *line, const char *path, size_t size, const char *own)
{
    size_t head = (size_t)(path - line), n_own, same = 0, whole = 0;
    for (; own && *own; own = strchr(own, '\n'), own = own ? own + 1 : NULL) {
        const char *other = strncmp(line, own, head) == 0 ? path_of(own, &n_own) : NULL;
        if (!other)
            continue;
        while (same < size && same < n_own && path[same] == other[same]) {
            if (path[same] == '/')
                whole = same;
            same++;
        }
        bool ends = (same == size || path[same] == '/') && (same == n_own || other[same] == '/');
        return ends ? same : whole;
    }
    return 0;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Reports whether the part of a path is below a user's service manager, to which systemd leaves a part of the
 * tree: "/user.slice/user-1000.slice/user@1000.service/...". */
static bool is_of_user(const char *path, size_t size)
{
    static const char manager[] = "/user@";
    return memmem(path, size, manager, strlen(manager));
}

const char *agent_peer_container(const char *text, const char *own, size_t *ret)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        size_t size, run = 0;
        const char *path = path_of(line, &size);
        size_t shared = path ? shared_part(line, path, size, own) : 0;
        for (size_t i = shared; path && i < size; i++) {
            run = is_hex(path[i]) ? run + 1 : 0;
            if (run != ID_DIGITS || (i + 1 < size && is_hex(path[i + 1])))
                continue;
            if (is_of_user(path + shared, i - shared))
                break;
            *ret = i + 1;
            return path;
        }
    }
    return NULL;
}

/* Reads a small file of /proc. Returns false if it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static const char *own_groups(void)
{
    static char own[CGROUP_MAX];
    if (!*own)
        (void)read_text("/proc/self/cgroup", own, sizeof own);
    return own;
}

/* Returns a descriptor of the process, which says whether it has exited; −1: there is none. */
static int open_process(int fd, pid_t pid)
{
    int process;
    socklen_t size = sizeof process;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &size) == 0)
        return process;
    return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

static bool has_exited(int process)
{
    struct pollfd p = {.fd = process, .events = POLLIN};
    return process < 0 || poll(&p, 1, 0) != 0;
}

void agent_peer_of_text(const char *text, struct peer *ret)
{
    uint64_t h = fnv1a(FNV1A_BEGIN, text, strlen(text));
    *ret = (struct peer){.address = IN6ADDR_ANY_INIT};
    memcpy(ret->address.s6_addr, &h, sizeof h);
}

void agent_peer_of(int fd, struct peer *ret)
{
    struct ucred who = {.pid = 0};
    socklen_t size = sizeof who;
    char path[64], text[CGROUP_MAX];
    agent_peer_of_text("exited", ret);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.pid <= 0)
        return;
    _cleanup_close_ int process = open_process(fd, who.pid);
    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", (int)who.pid);
    if (!read_text(path, text, sizeof text) || has_exited(process))
        return;
    size_t n;
    const char *container = agent_peer_container(text, own_groups(), &n);
    _cleanup_free_ char *id = container ? xstrndup(container, n) : xstrdup("no container");
    agent_peer_of_text(id, ret);
}
