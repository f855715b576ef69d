/* Gets the listening sockets of a worker: from hostletd or systemd, or it binds them itself and notices when
 * their paths do not lead to them any more. */
#pragma once

#include "lib/service/service.h"
#include "lib/varlink/unix.h"

/* A Unix socket that the process bound itself. */
struct own_socket {
    char *path; /* NULL: a supervisor bound it, or the service has none */
    struct unix_file file;
    struct file_watch *watch;
    struct service_context *context;
};

struct sockets {
    int listen_fd;
    int lock_fd; /* held while the process serves sockets that it bound itself; −1: a supervisor bound them */
    struct own_socket own, own_public;
};

#define SOCKETS_INIT                                                                                         \
    {                                                                                                        \
        .listen_fd = -1, .lock_fd = -1                                                                       \
    }

/* Fills 'sockets', and the descriptors in the context. Returns 0 or a negative errno. */
int sockets_take(struct sockets *sockets, struct service_context *context, struct error *e);
/* Ends the process when a path does not lead to the socket that the process bound: the jail does not let it
 * bind it again, and its supervisor starts it. */
void sockets_watch(struct sockets *sockets, struct service_context *context);
void sockets_done(struct sockets *sockets);
