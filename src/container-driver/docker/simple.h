/* Requests that either work or do not: the job that carries a caller's answer through one call to Docker. */
#pragma once

#include "container-driver/docker/call.h"

/* An operation under way; the head of larger ones. */
struct simple_job {
    struct docker *d;
    runtime_answer_fn answer;
    void *userdata;
};

/* A zeroed job of 'size' bytes, with its head filled. */
void *simple_job_new(struct runtime *rt, size_t size, runtime_answer_fn answer, void *userdata);

/* Asks, and answers without a result. (Docker's 304, nothing to do, is no refusal.) */
void simple_call(struct runtime *rt, const struct docker_ask *ask, runtime_answer_fn answer, void *userdata);
