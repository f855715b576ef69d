/* Implements the images of the null runtime. */
#pragma once

#include "container-driver/null/null.h"

/* Returns the image with a reference or id, which becomes present if its behaviour allows it. Returns NULL on
 * an error: not found, refused for a malformed reference, or a failed write. */
struct null_image *null_find_image(struct null *n, const char *reference, struct error *e);
/* Returns the reference of an image that is given by reference or id (borrowed), which determines its
 * behaviour. */
const char *null_image_words(struct null *n, const char *image);
void null_image_inspect(struct runtime *rt, const char *reference, runtime_answer_fn answer, void *userdata);
void null_image_list(struct runtime *rt, runtime_answer_fn answer, void *userdata);
struct runtime_job *null_image_pull(struct runtime *rt, const char *reference, runtime_answer_fn answer,
                                    void *userdata);
