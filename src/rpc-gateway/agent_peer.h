/* Tells the containers at the agents' socket apart, before they have shown a secret: by the control group of
 * the process that connected. */
#pragma once

#include "lib/peer/peer.h"

/* Finds a container in the text of /proc/PID/cgroup: a name with an id of 64 hex digits. Returns its path, up
 * to the end of the id, in 'text', and the path's length; NULL if there is none. 'own' is this process's
 * text: what both groups have in common is skipped, since hostlet itself can run in a container. Of
 * containers in each other it returns the outermost, so that a tenant with groups below his own stays one.
 * What a user's service manager made is no container, since users name the groups below it. Pure. */
const char *agent_peer_container(const char *text, const char *own, size_t *ret);

/* Makes an origin of a text: the address of a network of its own, as peer_origin() counts it. Pure. */
void agent_peer_of_text(const char *text, struct peer *ret);

/* Returns the origin of a connection: the same for all processes of one container; one for all processes in
 * no container; and one for all that have exited, or whose group cannot be read. */
void agent_peer_of(int fd, struct peer *ret);
