/* Starting the processes of services. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"
#include "lib/paths/tree.h"
#include "lib/topology/topology.h"

/* What all children get: the lifeline, the empty network namespace, the environment. */
struct spawner;

/* Below this number lie the descriptors that a child finds. */
#define SPAWN_FIRST_FREE 16

/* The listening sockets of a service, in the order in which it gets them. */
struct spawn_sockets {
    int fds[1 + SERVICE_TCP_MAX]; /* the Unix socket, then the TCP ports */
    size_t n;
    const char *names; /* "varlink:peer_port:http_port" */
};

/* Keeps descriptors 3 to 15 occupied from here on, so that a child's own can be put there. */
int spawner_new(const struct tree *tree, struct spawner **ret, struct error *e);
void spawner_free(struct spawner *spawner);

/* Runs the program of a service as root, in a process group of its own; the service goes into its jail by
 * itself. 'sockets' may be empty. *ret_ready_fd becomes readable when it is ready. From the main thread only:
 * the child's parent-death signal comes when the thread that forked it ends. */
int spawner_start(const struct spawner *spawner, const struct service_conf *conf,
                  const struct spawn_sockets *sockets, int log_fd, pid_t *ret_pid, int *ret_ready_fd,
                  struct error *e);
