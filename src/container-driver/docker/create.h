/* The body of Docker's "create a container". */
#pragma once

#include <jansson.h>

#include "container-driver/spec.h"

/* 'layer_size' in bytes, 0 for a writable layer without a limit. The caller releases the object. Refused:
 * text that is not UTF-8, naming where. */
int docker_create_body(const struct spec *spec, const struct settings *settings, int64_t layer_size,
                       json_t **ret, struct error *e);

/* Takes the seccomp profile out of it again, for an engine that does not take one. */
void docker_create_without_profile(json_t *body);

/* Has the log kept by "json-file", for an engine that does not know "local": podman. */
void docker_create_with_json_file(json_t *body);
