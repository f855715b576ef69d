/* Images of the null runtime. */
#pragma once

#include "container-driver/null/null.h"

struct null_image *null_find_image(struct null *n, const char *reference, struct error *e);
/* The reference that stands behind an image given by name or id, for its behaviour. */
const char *null_image_words(struct null *n, const char *image);
void null_image_inspect(struct runtime *rt, const char *reference, runtime_answer_fn answer, void *userdata);
void null_image_list(struct runtime *rt, runtime_answer_fn answer, void *userdata);
struct runtime_job *null_image_pull(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                    void *userdata);
