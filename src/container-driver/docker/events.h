/* Reads Docker's event stream. */
#pragma once

#include "container-driver/docker/docker.h"

/* Returns the state of the event stream, which docker_watch() opens. */
struct docker_events *docker_events_new(struct docker *d);
void docker_events_free(struct docker_events *events);
void docker_watch(struct runtime *rt);
void docker_unwatch(struct runtime *rt);
/* Ends the stream after another request has shown that Docker is down, and plans to open it again. */
void docker_events_break(struct docker_events *events, const char *reason);
