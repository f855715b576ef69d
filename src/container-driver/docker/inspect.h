/* Converts Docker's descriptions of containers, images and itself into the driver's structs. The functions
 * have no side effects. */
#pragma once

#include <jansson.h>

#include "container-driver/reading.h"
#include "container-driver/settings.h"
#include "lib/api/container_driver.h"

/* Converts the inspection of a container. The container is of the replica that its name states or, with
 * 'by_labels', of the one that its labels state; *ret is NULL when they state none. 'ours' is set when the
 * container's label is 'tree_id' and it is not misnamed. The caller frees *ret with driver_container_free().
 * Returns 0, or a negative errno (failed) when the description is malformed. */
int docker_read_container(json_t *answer, const char *tree_id, bool by_labels, struct driver_container **ret,
                          struct error *e);

/* Converts an item of Docker's list of containers whose labels are those of the contract. Returns NULL if the
 * container carries a tree's label or has a name of hostlet's form, or with r->r set if the item is
 * malformed. The caller frees the result, which has only the members of runtime.h's list_misnamed. */
struct driver_container *docker_read_misnamed(struct reading *r, json_t *item);

/* Converts the inspection of an image, or an item of the list of images, which has no user, entrypoint,
 * command and volumes. The caller frees *ret with driver_image_free(). */
int docker_read_image(json_t *answer, struct driver_image **ret, struct error *e);

/* Reports whether the response to GET /version is podman's, which implements Docker's API. */
bool docker_read_podman(json_t *version);
/* Reports whether the response to GET /info states that the engine filters system calls. */
bool docker_read_seccomp(json_t *info);
/* Adds the content of the response to GET /info to 'info'. On an error 'info' is unchanged. */
int docker_read_info(json_t *answer, struct driver_info_out *info, struct error *e);
