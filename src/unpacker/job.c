/* One piece of blocking work; see job.h. */
#include "unpacker/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/package/id.h"
#include "unpacker/staging.h"

struct job {
    const struct job_request *request;
    void (*on_done)(struct job *job, void *userdata);
    void *userdata;
    sd_event_source *source;
    int done_fd;
    pthread_t thread;
    bool joined;
    struct extract_progress progress;
    /* Written by the thread, read after it ended. */
    int result;
    struct error error;
    struct extract_result extracted;
    unsigned removed;
};

static void *job_main(void *userdata)
{
    struct job *j = userdata;
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
    uint64_t one = 1;
    while (write(j->done_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)fd, (void)revents;
    struct job *j = userdata;
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    pthread_join(j->thread, NULL);
    j->joined = true;
    j->on_done(j, j->userdata);
    return 0;
}

int job_start(sd_event *event, const struct job_request *request,
              void (*on_done)(struct job *job, void *userdata), void *userdata, struct job **ret,
              struct error *e)
{
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.request = request, .on_done = on_done, .userdata = userdata, .joined = true};
    j->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = j->done_fd < 0 ? -errno : sd_event_add_io(event, &j->source, j->done_fd, EPOLLIN, on_event, j);
    if (r >= 0)
        r = -pthread_create(&j->thread, NULL, job_main, j);
    if (r < 0) {
        job_free(j);
        return error_os(e, -r, "cannot start a thread");
    }
    j->joined = false;
    *ret = j;
    return 0;
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
    if (!job)
        return;
    if (!job->joined)
        pthread_join(job->thread, NULL);
    sd_event_source_disable_unref(job->source);
    close_fd(job->done_fd);
    free(job);
}
