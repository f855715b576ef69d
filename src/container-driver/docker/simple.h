/* Makes requests to Docker without a result: they succeed or fail. */
#pragma once

#include "container-driver/docker/call.h"

/* An operation in progress; the first member of the structs of larger operations. */
struct simple_job {
    struct docker *d;
    runtime_answer_fn answer;
    void *userdata;
};

/* Allocates a zeroed job of 'size' bytes, whose first member is a struct simple_job, and fills that member.
 */
void *simple_job_new(struct runtime *rt, size_t size, runtime_answer_fn answer, void *userdata);

/* Sends the request and calls 'answer' without a result or with an error. Docker's status 304 (nothing to do)
 * is a success. */
void simple_call(struct runtime *rt, const struct docker_ask *ask, runtime_answer_fn answer, void *userdata);
