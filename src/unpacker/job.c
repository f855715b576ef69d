/* Implements job.h with the workers of lib/loop/work.h. */
#include "unpacker/job.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/package/id.h"
#include "unpacker/staging.h"

struct job {
    struct work work; /* the first member */
    const struct job_request *request;
    void (*on_done)(struct job *job, void *userdata);
    void *userdata;
    struct extract_progress progress;
    /* Written by the thread, read after its end. */
    int result;
    struct error error;
    struct extract_result extracted;
    unsigned removed;
};

static void job_run(struct work *work)
{
    struct job *j = (struct job *)work;
    const struct job_request *q = j->request;
    if (q->kind == JOB_UNPACK) {
        struct extract_request request = {q->package_fd, q->store,    q->staging, q->name,
                                          q->id,         q->checksum, q->limits,  q->threads};
        j->result = extract_package(&request, &j->progress, &j->extracted, &j->error);
    } else if (q->kind == JOB_REMOVE) {
        bool removed;
        _cleanup_free_ char *key = package_key(q->name, q->id);
        j->result = staging_remove(q->staging, key, &removed, &j->error);
    } else {
        j->result = staging_clean(q->staging, &j->removed, &j->error);
    }
}

static void job_done(struct work *work)
{
    struct job *j = (struct job *)work;
    j->on_done(j, j->userdata);
}

struct job *job_start(struct workers *workers, const struct job_request *request,
                      void (*on_done)(struct job *job, void *userdata), void *userdata)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->work = (struct work){.run = job_run, .done = job_done};
    j->request = request;
    j->on_done = on_done;
    j->userdata = userdata;
    workers_add(workers, &j->work);
    return j;
}

void job_cancel(struct job *job)
{
    atomic_store(&job->progress.cancel, true);
}

const struct extract_progress *job_progress(const struct job *job)
{
    return &job->progress;
}

int job_result(const struct job *job, struct error *e)
{
    if (job->result < 0)
        *e = job->error;
    return job->result;
}

const struct extract_result *job_extracted(const struct job *job)
{
    return &job->extracted;
}

unsigned job_removed(const struct job *job)
{
    return job->removed;
}

void job_free(struct job *job)
{
    free(job);
}
