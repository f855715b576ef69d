/* Builds the body of Docker's request to create a container. */
#pragma once

#include <jansson.h>

#include "container-driver/spec.h"

/* Builds the body. 'layer_size' is the limit of the writable layer in bytes; 0: no limit. The caller releases
 * *ret. Returns 0, −EILSEQ (refused) when a path is not UTF-8, or −ENOMEM (retry). */
int docker_create_body(const struct spec *spec, const struct settings *settings, int64_t layer_size,
                       json_t **ret, struct error *e);

/* Removes the seccomp profile from a body, for an engine that does not accept one. */
void docker_create_without_profile(json_t *body);

/* Changes the log driver of a body to "json-file", for podman, which has no log driver "local". */
void docker_create_with_json_file(json_t *body);
