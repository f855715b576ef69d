/* Examines and removes Docker's volumes of replicas.
 *
 * A volume is a record of Docker that names a directory of the replica (create.c makes it). It carries the
 * tree's id in its name and in its label. Its removal keeps the directory. */
#pragma once

#include "container-driver/docker/docker.h"

/* Makes sure that Docker can make the volumes of 'spec' as they are defined: one of this tree that has
 * another directory is removed, because Docker would use that directory. If a container still uses it, as the
 * one that was put aside does after app_path has changed, the volume gets another name in 'body', the request
 * that docker_create_body() made of 'spec'; 'body' must exist until the answer. Calls 'answer' without a
 * result, or with an error: conflict (ENOTUNIQ) for a volume of the name that is not this tree's, failed when
 * containers use both names with other directories. */
void docker_volumes_check(struct docker *d, const struct spec *spec, json_t *body, runtime_answer_fn answer,
                          void *userdata);

/* Removes the volumes; see remove_volumes in runtime.h. */
void docker_volumes_remove(struct runtime *rt, const char *prefix, runtime_answer_fn answer, void *userdata);
