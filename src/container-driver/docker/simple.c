/* Implements simple.h. */
#include "container-driver/docker/simple.h"

void *simple_job_new(struct runtime *rt, size_t size, runtime_answer_fn answer, void *userdata)
{
    struct simple_job *job = xcalloc(1, size);
    *job = (struct simple_job){.d = (struct docker *)rt, .answer = answer, .userdata = userdata};
    return job;
}

static void on_answer(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call, (void)body;
    _cleanup_free_ struct simple_job *job = userdata;
    runtime_answer(job->answer, job->userdata, e);
}

void simple_call(struct runtime *rt, const struct docker_ask *ask, runtime_answer_fn answer, void *userdata)
{
    struct simple_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    docker_call(job->d, ask, on_answer, job);
}
