/* Docker's answers about containers, images and itself, as the driver's own structs. Pure: text in, struct
 * out. */
#pragma once

#include <jansson.h>

#include "container-driver/settings.h"
#include "lib/api/container_driver.h"

/* An inspection of a container. NULL (with 0) when its name is not of our form. 'tree_id' says which are
 * ours. The caller frees with driver_container_free(). */
int docker_read_container(json_t *answer, const char *tree_id, struct driver_container **ret,
                          struct error *e);

/* An inspection of an image, or one item of the list of images (of which user, entrypoint and command are
 * empty). */
int docker_read_image(json_t *answer, struct driver_image **ret, struct error *e);

/* Of the answer to GET /version: whether it is podman that speaks Docker's language. */
bool docker_read_podman(json_t *version);
/* Of the answer to GET /info: whether the engine filters system calls. */
bool docker_read_seccomp(json_t *info);
/* From GET /info; adds to 'info'. */
int docker_read_info(json_t *answer, struct driver_info_out *info, struct error *e);
