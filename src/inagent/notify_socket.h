/* Receives the messages of sd_notify(3) and decides whose count.
 *
 * The socket has an abstract address that the kernel chooses: it needs no file, so that it works with a
 * read-only root and for every user, and it exists in the container's network namespace alone. A message
 * counts if the process that sent it is one of the task's: of its session, or a descendant of its shell. */
#pragma once

#include "inagent/notify_message.h"
#include "lib/basic/error.h"

struct notify_socket {
    int fd;           /* −1: none */
    char address[16]; /* NOTIFY_SOCKET, "@00001" */
    /* Messages that were read since 'since' (CLOCK_MONOTONIC, microseconds): their rate is limited. */
    unsigned n;
    uint64_t since;
    bool reported; /* a message that was ignored was logged */
};

#define NOTIFY_SOCKET_INIT                                                                                   \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

int notify_socket_open(struct notify_socket *socket, struct error *e);
void notify_socket_close(struct notify_socket *socket);

/* Reads the next message that a process of the task with the shell 'pid' sent (0: none runs; no message
 * counts). Closes all descriptors that were sent along. Returns false if none is left at 'now'. */
bool notify_socket_read(struct notify_socket *socket, pid_t pid, uint64_t now, struct notify_message *ret);

/* For poll(): return the descriptor (−1: none is to be watched before the wake-up), and the time at which the
 * socket is read again (UINT64_MAX: when it is readable). */
int notify_socket_fd(const struct notify_socket *socket);
uint64_t notify_socket_wakeup(const struct notify_socket *socket);

/* Reports whether 'pid' is a process of the task with this shell. It must exist. */
bool notify_belongs(pid_t pid, pid_t shell);
