/* Implements the runtime's operations for volumes (runtime.h) in the null runtime. They do nothing: it has no
 * volumes beside the paths in the containers' descriptions. */
#pragma once

#include "container-driver/null/null.h"

struct runtime_job *null_copy_volumes(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer,
                                      void *userdata);
void null_end_copy(struct runtime *rt, const char *name, runtime_answer_fn answer, void *userdata);
void null_remove_volumes(struct runtime *rt, const char *prefix, runtime_answer_fn answer, void *userdata);
