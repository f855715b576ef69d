/* Writes a container's limits in the form of Docker's update, and reads its present usage.
 *
 * Docker's update ignores a member that is 0, so that a limit cannot be removed by it (20.10). In place of no
 * limit, memory gets DOCKER_NO_MEMORY, CPU all processors of the machine, and processes −1. CpuQuota = −1
 * would remove the limit of CPU, too; but Docker prefers it to NanoCpus at each start from then on, and
 * cannot set it to 0 again, so that the container could never have a limit again. */
#pragma once

#include <jansson.h>

#include "lib/api/container_driver.h"

/* A limit of memory that counts as none, in bytes: it is larger than any machine's memory. */
#define DOCKER_NO_MEMORY (INT64_C(1) << 60)

/* Returns the body that changes the limits of 'c' to those of 'in', without those that do not differ; the
 * caller releases it. 'cpus' is the number of the machine's processors. 'quota': the limit of CPU is written
 * as quota and period, for a container that was made with them. */
json_t *docker_limits_body(const struct driver_container *c, const struct driver_limits_in *in, int64_t cpus,
                           bool quota);

/* Reads a response to GET /containers/ID/stats. The members of a container that does not run are 0. Returns
 * 0, or −EPROTO (failed). */
int docker_read_usage(json_t *answer, struct driver_usage_out *ret, struct error *e);
