/* Parses one line of Docker's event stream. */
#pragma once

#include "container-driver/adopted.h"
#include "container-driver/runtime.h"

/* An event of Docker concerns the replica of the container's labels, and those whose names it has or had. */
#define DOCKER_EVENT_REPLICAS 3

/* Parses an event of a container that carries this tree's label or that the ledger contains, into one event
 * for each replica that it concerns. The caller releases them with driver_event_done(). Returns their number;
 * 0 for an event to ignore (of another container, or of a kind that changes nothing, such as exec or attach);
 * or a negative errno (failed) when the line is malformed. */
int docker_read_event(const char *line, size_t size, const char *tree_id, const struct adopted *adopted,
                      struct driver_event ret[static DOCKER_EVENT_REPLICAS], struct error *e);
