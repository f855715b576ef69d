/* Reports which anonymous volumes of a container are not data of the replica yet.
 *
 * Containers of earlier versions and of the original agent have them where their image has a VOLUME, and the
 * runtime deletes them with the container. What is in them is copied before. The record stores from which run
 * of which container a copy was made: if the container has run since, the copy is out of date. */
#pragma once

#include "lib/api/container_driver.h"

/* Returns the paths of the container's anonymous volumes that can be copied; the caller frees the array and
 * not the paths. *ret_n 0: there is none. A volume over a mount of hostlet or the runtime, such as /dev/shm,
 * is no data and left out. */
char **anonymous_paths(const struct driver_container *c, size_t *ret_n);

/* Returns the text that stands for this run of the container in the record; the caller frees it. */
char *anonymous_run(const struct driver_container *c);

/* Reports whether the container has volumes to be copied, and 'copied' (may be NULL) stands for another run.
 */
bool anonymous_unsaved(const struct driver_container *c, const char *copied);
