/* Compares a container's limits of CPU, memory and processes with the desired ones. They are set while the
 * container runs, and are never a reason for a new container. */
#pragma once

#include "lib/api/container_driver.h"
#include "reconciler/model/record.h"

/* Returns the limits that the container is to have by the revision. 'cpus' is the number of the machine's
 * processors; 0: not known. Where the container cannot have the revision's limit, or does not need it, its
 * own is returned:
 * - Docker cannot remove a limit of CPU, and limits to all processors instead.
 * - A limit of CPU that the runtime has lost needs a new container (rules/drift.h).
 * - What an adopted container was made from is not known: it gets no limit of processes if it has none. */
struct record_limits limits_desired(const struct driver_container *c, const struct record_revision *revision,
                                    int64_t cpus);

struct record_limits limits_of_container(const struct driver_container *c);
bool limits_equal(const struct record_limits *a, const struct record_limits *b);

/* Returns the limits as text for people: "0.5 CPU, memory 64.0 MiB, 100 processes". The caller frees it. */
char *limits_text(const struct record_limits *limits);
