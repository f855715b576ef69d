/* Implements copy.h. */
#include "container-driver/null/copy.h"

#include <errno.h>

#include "container-driver/null/behaviour.h"
#include "container-driver/null/image.h"

/* A copy, which ends in the next iteration of the event loop. */
struct null_copy {
    struct runtime_job job;
    struct timer timer;
    runtime_answer_fn answer;
    void *userdata;
    bool fails;
};

static void copy_cancel(struct runtime_job *job)
{
    struct null_copy *c = (struct null_copy *)job;
    timer_stop(&c->timer);
    free(c);
}

static void on_copied(void *userdata)
{
    struct null_copy *c = userdata;
    struct error e = ERROR_INIT;
    if (c->fails)
        error_fail(&e, ENOSPC, "the copy of the volumes failed: no space left");
    runtime_answer(c->answer, c->userdata, &e);
    copy_cancel(&c->job);
}

struct runtime_job *null_copy_volumes(struct runtime *rt, const struct spec *spec, runtime_answer_fn answer,
                                      void *userdata)
{
    struct null *n = (struct null *)rt;
    struct null_copy *c = xcalloc(1, sizeof *c);
    *c = (struct null_copy){.job.cancel = copy_cancel,
                            .answer = answer,
                            .userdata = userdata,
                            .fails = null_behaviour_of(null_image_words(n, spec->image)).copy_fails};
    timer_arm(&c->timer, n->event, 0, on_copied, c);
    return &c->job;
}

void null_end_copy(struct runtime *rt, const char *name, runtime_answer_fn answer, void *userdata)
{
    (void)rt, (void)name;
    runtime_answer(answer, userdata, NULL);
}

void null_remove_volumes(struct runtime *rt, const char *prefix, runtime_answer_fn answer, void *userdata)
{
    (void)rt, (void)prefix;
    runtime_answer(answer, userdata, NULL);
}
