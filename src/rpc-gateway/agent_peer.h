/* Tells the containers at the agents' socket apart, before they have shown a secret: by the control group of
 * the process that connected. */
#pragma once

#include "lib/peer/peer.h"

#define CONTAINER_ID_SIZE 65

/* Finds a container's id, 64 hex digits, in the text of /proc/PID/cgroup. 'own' is this process's text: what
 * both groups have in common is skipped, since hostlet itself can run in a container. Of containers in each
 * other it returns the outermost, so that a tenant with groups below his own stays one. Pure. */
bool agent_peer_container(const char *text, const char *own, char ret[CONTAINER_ID_SIZE]);

/* Makes an origin of a text: the address of a network of its own, as peer_origin() counts it. Pure. */
void agent_peer_of_text(const char *text, struct peer *ret);

/* Returns the origin of a connection: the same for all processes of one container; without a container the
 * same for all of a user's; and one for all processes that have exited, or whose group cannot be read. */
void agent_peer_of(int fd, struct peer *ret);
