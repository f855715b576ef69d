/* Parses one line of Docker's event stream. */
#pragma once

#include "container-driver/adopted.h"
#include "container-driver/runtime.h"

/* Parses an event of a container that carries this tree's label or that the ledger contains. The caller
 * releases *ret with driver_event_done(). Returns 1; 0 for an event to ignore (of another container, or of a
 * kind that changes nothing, such as exec or attach), which does not fill *ret; or a negative errno (failed)
 * when the line is malformed. */
int docker_read_event(const char *line, size_t size, const char *tree_id, const struct adopted *adopted,
                      struct driver_event *ret, struct error *e);
