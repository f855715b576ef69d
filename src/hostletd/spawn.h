/* Starts the processes of services. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"
#include "lib/paths/tree.h"
#include "lib/topology/topology.h"

/* What all children share: the empty network namespace, the environment. */
struct spawner;

/* Descriptors of a child have numbers below this one. */
#define SPAWN_FIRST_FREE 16

/* The listening sockets of a service, in the order in which it gets them. */
struct spawn_sockets {
    int fds[2 + SERVICE_TCP_MAX]; /* the Unix socket, then the public one, then the TCP sockets */
    size_t n;
    const char *names; /* "varlink:public:peer_port:http_port" */
};

/* Creates the spawner and occupies descriptors 3 to 15, so that hostletd opens none of its own at numbers
 * that a child's descriptors get. Returns 0 or a negative errno. */
int spawner_new(const struct tree *tree, struct spawner **ret, struct error *e);
void spawner_free(struct spawner *spawner);

/* Runs the program of a service as root in its own process group; the program then enters its jail. 'sockets'
 * may be empty. *ret_ready_fd becomes readable when the process is ready. *ret_lifeline is hostletd's end of
 * the process's lifeline. Must be called in the main thread, because the kernel sends the parent-death signal
 * when the thread exits that forked the child. Returns 0 or a negative errno. */
int spawner_start(struct spawner *spawner, const struct service_conf *conf,
                  const struct spawn_sockets *sockets, int log_fd, pid_t *ret_pid, int *ret_ready_fd,
                  int *ret_lifeline, struct error *e);

/* Runs the program of a service in the same way with --check: it judges the configuration and exits, with 0
 * if the service accepts it; otherwise the last line of its output is the reason. */
int spawner_check(struct spawner *spawner, const struct service_conf *conf, int log_fd, pid_t *ret_pid,
                  struct error *e);
