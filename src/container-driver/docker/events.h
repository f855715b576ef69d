/* Docker's event stream. */
#pragma once

#include "container-driver/docker/docker.h"

struct docker_events *docker_events_new(struct docker *d);
void docker_events_free(struct docker_events *events);
void docker_watch(struct runtime *rt);
void docker_unwatch(struct runtime *rt);
/* Docker turned out to be down: a stream that still seems open says nothing any more. */
void docker_events_break(struct docker_events *events, const char *reason);
