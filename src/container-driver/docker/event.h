/* One line of Docker's event stream. */
#pragma once

#include "container-driver/adopted.h"
#include "container-driver/runtime.h"

/* Fills 'ret' with what happened to a container that is ours by its label or by the ledger; its strings are
 * the caller's (driver_event_done()). Returns 1, or 0 for an event that is of no interest (others'
 * containers, other names, exec, attach …). */
int docker_read_event(const char *line, size_t size, const char *tree_id, const struct adopted *adopted,
                      struct driver_event *ret, struct error *e);
