/* Implements work.h. */
#include "lib/loop/work.h"

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

/* Time after which the creation of a thread is attempted again. */
#define RETRY_USEC USEC_PER_SEC

/* The header <linux/ioprio.h> of the oldest supported kernel lacks these constants. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)

struct list {
    struct work *first, *last;
};

struct workers {
    unsigned threads_max;
    enum workers_kind kind;
    sd_event *event;
    sd_event_source *source;
    struct timer retry;
    int event_fd;
    size_t outstanding; /* works that are added and not done; used in the loop only */

    pthread_mutex_t mutex; /* protects the members below */
    struct list waiting, finished;
    struct work **running; /* one slot per thread; NULL: the slot is free */
    unsigned threads;
    pthread_cond_t idle; /* signalled when the last thread ends */
    /* workers_free() was called: the last thread frees the struct. */
    bool orphaned;
};

static void append(struct list *list, struct work *work)
{
    work->next = NULL;
    if (list->last)
        list->last->next = work;
    else
        list->first = work;
    list->last = work;
}

static bool same_key(const struct work *a, const struct work *b)
{
    return a && a->key && b->key && streq(a->key, b->key);
}

/* Removes and returns the first waiting work whose key neither a running work nor an earlier waiting work
 * has. Returns NULL if there is none. */
static struct work *take(struct workers *workers)
{
    struct work *previous = NULL;
    for (struct work *work = workers->waiting.first; work; previous = work, work = work->next) {
        bool blocked = false;
        for (unsigned i = 0; i < workers->threads_max; i++)
            blocked |= same_key(workers->running[i], work);
        for (struct work *earlier = workers->waiting.first; earlier != work && !blocked;
             earlier = earlier->next)
            blocked = same_key(earlier, work);
        if (blocked)
            continue;
        if (previous)
            previous->next = work->next;
        else
            workers->waiting.first = work->next;
        if (workers->waiting.last == work)
            workers->waiting.last = previous;
        return work;
    }
    return NULL;
}

static unsigned free_place(const struct workers *workers)
{
    unsigned place = 0;
    while (workers->running[place])
        place++;
    return place;
}

static void drop(struct work *work)
{
    if (work->drop)
        work->drop(work);
}

static void drop_all(struct list *list)
{
    for (struct work *work = list->first, *next; work; work = next) {
        next = work->next;
        drop(work);
    }
    *list = (struct list){NULL, NULL};
}

/* Appends finished work to the list of the loop and wakes the loop. The caller holds the mutex. */
static void hand_over(struct workers *workers, struct work *work)
{
    uint64_t one = 1;
    append(&workers->finished, work);
    (void)!write(workers->event_fd, &one, sizeof one);
}

static void destroy(struct workers *workers)
{
    close_fd(workers->event_fd);
    pthread_cond_destroy(&workers->idle);
    pthread_mutex_destroy(&workers->mutex);
    free(workers->running);
    free(workers);
}

static void work_until_empty(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    for (struct work *work; (work = take(workers));) {
        unsigned place = free_place(workers);
        workers->running[place] = work;
        pthread_mutex_unlock(&workers->mutex);
        work->run(work);
        pthread_mutex_lock(&workers->mutex);
        workers->running[place] = NULL;
        if (workers->orphaned)
            drop(work);
        else
            hand_over(workers, work);
    }
    bool last = --workers->threads == 0 && workers->orphaned;
    if (workers->threads == 0)
        pthread_cond_signal(&workers->idle);
    pthread_mutex_unlock(&workers->mutex);
    if (last)
        destroy(workers);
}

/* Lowers the CPU and disk priority of the calling thread. Errors are ignored: the thread then runs at normal
 * priority. */
static void give_way(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

static void *thread_main(void *userdata)
{
    struct workers *workers = userdata;
    if (workers->kind == WORKERS_BACKGROUND)
        give_way();
    work_until_empty(workers);
    return NULL;
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)revents;
    struct workers *workers = userdata;
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
    pthread_mutex_lock(&workers->mutex);
    struct work *work = workers->finished.first;
    workers->finished = (struct list){NULL, NULL};
    pthread_mutex_unlock(&workers->mutex);
    while (work) {
        struct work *next = work->next;
        workers->outstanding--;
        work->done(work);
        work = next;
    }
    return 0;
}

int workers_new(sd_event *event, unsigned threads_max, enum workers_kind kind, struct workers **ret,
                struct error *e)
{
    struct workers *workers = xcalloc(1, sizeof *workers);
    workers->threads_max = threads_max;
    workers->kind = kind;
    workers->event = sd_event_ref(event);
    workers->running = xcalloc(threads_max, sizeof(struct work *));
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->idle, NULL);
    workers->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = workers->event_fd < 0
                ? -errno
                : sd_event_add_io(event, &workers->source, workers->event_fd, EPOLLIN, on_finished, workers);
    if (r < 0) {
        workers_free(workers);
        return error_os(e, -r, "cannot watch for finished work");
    }
    *ret = workers;
    return 0;
}

static bool start_thread(struct workers *workers)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &attributes, thread_main, workers);
    pthread_attr_destroy(&attributes);
    return r == 0;
}

static void on_retry(void *userdata);

/* Handles a failed creation of a thread. Threads that exist run the work. If none exists, the loop runs it
 * itself (WORKERS_PROMPT), or a timer attempts the creation again. */
static void go_on_without(struct workers *workers, bool none)
{
    if (none && workers->kind == WORKERS_PROMPT) {
        work_until_empty(workers);
        return;
    }
    pthread_mutex_lock(&workers->mutex);
    workers->threads--;
    pthread_mutex_unlock(&workers->mutex);
    if (none && !timer_armed(&workers->retry))
        timer_arm(&workers->retry, workers->event, RETRY_USEC, on_retry, workers);
}

static void add_thread(struct workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    bool another = workers->threads < workers->threads_max, none = workers->threads == 0;
    if (another)
        workers->threads++;
    pthread_mutex_unlock(&workers->mutex);
    if (another && !start_thread(workers))
        go_on_without(workers, none);
}

static void on_retry(void *userdata)
{
    add_thread(userdata);
}

void workers_add(struct workers *workers, struct work *work)
{
    workers->outstanding++;
    pthread_mutex_lock(&workers->mutex);
    append(&workers->waiting, work);
    pthread_mutex_unlock(&workers->mutex);
    add_thread(workers);
}

bool workers_busy(const struct workers *workers)
{
    return workers->outstanding > 0;
}

void workers_wait(struct workers *workers)
{
    workers->source = sd_event_source_disable_unref(workers->source);
    timer_stop(&workers->retry);
    pthread_mutex_lock(&workers->mutex);
    workers->waiting = (struct list){NULL, NULL};
    while (workers->threads > 0)
        pthread_cond_wait(&workers->idle, &workers->mutex);
    workers->finished = (struct list){NULL, NULL};
    pthread_mutex_unlock(&workers->mutex);
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    workers->source = sd_event_source_disable_unref(workers->source);
    timer_stop(&workers->retry);
    workers->event = sd_event_unref(workers->event);
    pthread_mutex_lock(&workers->mutex);
    drop_all(&workers->waiting);
    drop_all(&workers->finished);
    workers->orphaned = true;
    bool working = workers->threads > 0;
    pthread_mutex_unlock(&workers->mutex);
    if (!working)
        destroy(workers);
}
