/* One piece of work in a thread; see job.h. */
#include "fetcher/job.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

struct job {
    const struct job_calls *calls;
    void *data, *userdata;
    pthread_t thread;
    int event_fd;
    sd_event_source *source;
    bool abandoned;
};

static void job_free(struct job *job)
{
    sd_event_source_disable_unref(job->source);
    close_fd(job->event_fd);
    free(job);
}

static void *job_thread(void *userdata)
{
    struct job *job = userdata;
    const uint64_t one = 1;
    job->calls->work(job->data);
    while (write(job->event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents;
    struct job *job = userdata;
    const struct job_calls *calls = job->calls;
    void *data = job->data, *done_userdata = job->userdata;
    bool abandoned = job->abandoned;
    pthread_join(job->thread, NULL);
    job_free(job);
    if (!abandoned)
        calls->done(data, done_userdata);
    calls->release(data);
    return 0;
}

int job_start(sd_event *event, const struct job_calls *calls, void *data, void *userdata, struct job **ret,
              struct error *e)
{
    struct job *job = xcalloc(1, sizeof *job);
    *job = (struct job){.calls = calls, .userdata = userdata, .data = data};
    job->event_fd = eventfd(0, EFD_CLOEXEC);
    int r = job->event_fd < 0 ? -errno
                              : sd_event_add_io(event, &job->source, job->event_fd, EPOLLIN, on_event, job);
    if (r >= 0)
        r = -pthread_create(&job->thread, NULL, job_thread, job);
    if (r < 0) {
        job_free(job);
        return error_os(e, -r, "cannot start a thread");
    }
    *ret = job;
    return 0;
}

void job_abandon(struct job *job)
{
    if (job)
        job->abandoned = true;
}
