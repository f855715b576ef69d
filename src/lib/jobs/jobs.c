/* Work in threads; see jobs.h. */
#include "lib/jobs/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/util.h"
#include "lib/loop/timer.h"

#define RETRY_USEC USEC_PER_SEC /* until a thread that could not be had is asked for again */

/* <linux/ioprio.h> of the oldest kernel headers that we build with lacks them. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)

struct list {
    struct job *first, *last;
};

struct jobs {
    unsigned threads_max;
    bool background;
    sd_event *event;
    sd_event_source *source;
    struct timer retry;
    int event_fd;
    size_t outstanding; /* of the loop alone */

    pthread_mutex_t mutex; /* of all that follows */
    struct list waiting, finished;
    struct job **running; /* one place per thread */
    unsigned threads;
};

static void append(struct list *list, struct job *job)
{
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
}

static bool same_key(const struct job *a, const struct job *b)
{
    return a && a->key && b->key && streq(a->key, b->key);
}

/* Takes the first job that nothing is in the way of: no running one of its key, no earlier one that waits. */
static struct job *take(struct jobs *jobs)
{
    struct job *previous = NULL;
    for (struct job *job = jobs->waiting.first; job; previous = job, job = job->next) {
        bool blocked = false;
        for (unsigned i = 0; i < jobs->threads_max; i++)
            blocked |= same_key(jobs->running[i], job);
        for (struct job *earlier = jobs->waiting.first; earlier != job && !blocked; earlier = earlier->next)
            blocked = same_key(earlier, job);
        if (blocked)
            continue;
        if (previous)
            previous->next = job->next;
        else
            jobs->waiting.first = job->next;
        if (jobs->waiting.last == job)
            jobs->waiting.last = previous;
        return job;
    }
    return NULL;
}

static unsigned free_place(const struct jobs *jobs)
{
    unsigned place = 0;
    while (jobs->running[place])
        place++;
    return place;
}

static void work_until_empty(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    for (struct job *job; (job = take(jobs));) {
        unsigned place = free_place(jobs);
        jobs->running[place] = job;
        pthread_mutex_unlock(&jobs->mutex);
        job->work(job);
        pthread_mutex_lock(&jobs->mutex);
        jobs->running[place] = NULL;
        append(&jobs->finished, job);
        uint64_t one = 1;
        (void)!write(jobs->event_fd, &one, sizeof one);
    }
    jobs->threads--;
    pthread_mutex_unlock(&jobs->mutex);
}

/* Of this thread alone. Where it is not allowed the work goes on at the usual priority. */
static void give_way(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

static void *thread_main(void *userdata)
{
    struct jobs *jobs = userdata;
    if (jobs->background)
        give_way();
    work_until_empty(jobs);
    return NULL;
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct jobs *jobs = userdata;
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
    pthread_mutex_lock(&jobs->mutex);
    struct job *job = jobs->finished.first;
    jobs->finished = (struct list){NULL, NULL};
    pthread_mutex_unlock(&jobs->mutex);
    while (job) {
        struct job *next = job->next;
        jobs->outstanding--;
        job->done(job);
        job = next;
    }
    return 0;
}

static int make(sd_event *event, unsigned threads_max, bool background, struct jobs **ret, struct error *e)
{
    struct jobs *jobs = xcalloc(1, sizeof *jobs);
    jobs->threads_max = threads_max;
    jobs->background = background;
    jobs->event = sd_event_ref(event);
    jobs->running = xcalloc(threads_max, sizeof(struct job *));
    pthread_mutex_init(&jobs->mutex, NULL);
    jobs->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = jobs->event_fd < 0
                ? -errno
                : sd_event_add_io(event, &jobs->source, jobs->event_fd, EPOLLIN, on_finished, jobs);
    if (r < 0) {
        jobs_free(jobs);
        return error_os(e, -r, "cannot watch for finished work");
    }
    *ret = jobs;
    return 0;
}

int jobs_new(sd_event *event, unsigned threads_max, struct jobs **ret, struct error *e)
{
    return make(event, threads_max, false, ret, e);
}

int jobs_new_background(sd_event *event, unsigned threads_max, struct jobs **ret, struct error *e)
{
    return make(event, threads_max, true, ret, e);
}

static bool start_thread(struct jobs *jobs)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &attributes, thread_main, jobs);
    pthread_attr_destroy(&attributes);
    return r == 0;
}

static void on_retry(void *userdata);

/* No thread can be had. Those that are there take the job; where there is none, slow is better than never. */
static void go_on_without(struct jobs *jobs, bool none)
{
    if (none && !jobs->background) {
        work_until_empty(jobs);
        return;
    }
    pthread_mutex_lock(&jobs->mutex);
    jobs->threads--;
    pthread_mutex_unlock(&jobs->mutex);
    if (none && !timer_armed(&jobs->retry))
        timer_arm(&jobs->retry, jobs->event, RETRY_USEC, on_retry, jobs);
}

static void add_thread(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    bool another = jobs->threads < jobs->threads_max, none = jobs->threads == 0;
    if (another)
        jobs->threads++;
    pthread_mutex_unlock(&jobs->mutex);
    if (another && !start_thread(jobs))
        go_on_without(jobs, none);
}

static void on_retry(void *userdata)
{
    add_thread(userdata);
}

void jobs_add(struct jobs *jobs, struct job *job)
{
    jobs->outstanding++;
    pthread_mutex_lock(&jobs->mutex);
    append(&jobs->waiting, job);
    pthread_mutex_unlock(&jobs->mutex);
    add_thread(jobs);
}

bool jobs_busy(const struct jobs *jobs)
{
    return jobs->outstanding > 0;
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs)
        return;
    jobs->source = sd_event_source_disable_unref(jobs->source);
    timer_stop(&jobs->retry);
    jobs->event = sd_event_unref(jobs->event);
    pthread_mutex_lock(&jobs->mutex);
    bool working = jobs->threads > 0;
    jobs->waiting = (struct list){NULL, NULL};
    pthread_mutex_unlock(&jobs->mutex);
    if (working)
        return;
    close_fd(jobs->event_fd);
    pthread_mutex_destroy(&jobs->mutex);
    free(jobs->running);
    free(jobs);
}
