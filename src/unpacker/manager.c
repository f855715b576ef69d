/* Implements manager.h. */
#include "unpacker/manager.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "lib/api/unpacker.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/loop/timer.h"
#include "lib/package/id.h"
#include "lib/paths/tree.h"
#include "unpacker/job.h"
#include "unpacker/staging.h"

/* Number of packages that are unpacked at the same time; the others wait. Each uses two or three threads and
 * up to 160 MiB of memory. */
#define PARALLEL          2
#define THREADS_MAX       16 /* more than PARALLEL, because removals do not count there */
#define PROGRESS_INTERVAL (200 * USEC_PER_MSEC)
/* A client gets no more progress messages while this many bytes are unsent to it. */
#define PENDING_MAX (64 * 1024)

struct waiter {
    struct task *task;
    struct varlink_call *call;
    struct waiter *next;
};

/* A job, its position in the queue, and the calls that wait for it. */
struct task {
    struct manager *manager;
    struct job *job;
    struct job_request request;
    struct waiter *waiters;
    bool running;
    uint64_t started;
    struct task *next;
};

struct manager {
    sd_event *event;
    struct timer progress_timer;
    struct workers *workers;
    char *packages, *store_path;
    int store, staging;
    struct package_limits limits;
    unsigned threads;
    struct task *tasks; /* in the order of arrival */
};

static const char *const doing[] = {"unpacked", "removed", "cleaned up"};

static void on_done(struct job *job, void *userdata);

static unsigned count_running(const struct manager *m)
{
    unsigned n = 0;
    for (const struct task *t = m->tasks; t; t = t->next)
        n += t->running && t->request.kind == JOB_UNPACK;
    return n;
}

static void task_free(struct task *t)
{
    struct task **at = &t->manager->tasks;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    job_free(t->job);
    while (t->waiters) {
        struct waiter *w = t->waiters;
        t->waiters = w->next;
        varlink_call_on_gone(w->call, NULL, NULL);
        free(w);
    }
    close_fd(t->request.package_fd);
    free(t->request.name);
    free(t->request.id);
    free(t->request.checksum);
    free(t);
}

static struct unpacker_unpack_out progress_of(const struct task *t)
{
    struct unpacker_unpack_out out = {0};
    if (t->job) {
        const struct extract_progress *p = job_progress(t->job);
        out.done = (int64_t)p->bytes_read;
        out.total = (int64_t)p->bytes_total;
        out.entries = (int64_t)p->entries;
    }
    return out;
}

static char *path_of(const struct manager *m, const char *name, const char *id, bool published)
{
    _cleanup_free_ char *key = package_key(name, id);
    return xasprintf("%s/%s/%s", m->store_path, published ? name : IPK_STAGING, published ? id : key);
}

static void answer_one(struct task *t, struct varlink_call *call, int result, const struct error *why)
{
    if (result < 0) {
        varlink_error(call, why);
        return;
    }
    if (t->request.kind == JOB_REMOVE) {
        varlink_reply(call, NULL);
        return;
    }
    struct unpacker_unpack_out out = progress_of(t);
    const struct extract_result *r = job_extracted(t->job);
    _cleanup_free_ char *path = path_of(t->manager, t->request.name, t->request.id, r->published);
    out.done = out.total;
    out.entries = (int64_t)r->entries;
    out.size = (int64_t)r->size;
    out.path = path;
    varlink_reply(call, &out);
}

static void answer_all(struct task *t, int result, const struct error *why)
{
    while (t->waiters) {
        struct waiter *w = t->waiters;
        struct varlink_call *call = w->call;
        t->waiters = w->next;
        free(w);
        answer_one(t, call, result, why);
    }
}

static void log_result(const struct task *t, int result, const struct error *why)
{
    double seconds = (double)(now_monotonic_usec() - t->started) / USEC_PER_SEC;
    const struct job_request *q = &t->request;
    if (q->kind == JOB_CLEAN) {
        if (result < 0)
            log_warning("directories of interrupted extractions cannot be removed: %s", why->message);
        else if (job_removed(t->job) > 0)
            log_notice("removed %u directories of interrupted extractions", job_removed(t->job));
    } else if (result == -ECANCELED) {
        log_info("package '%s': unpacking cancelled: no caller waits for it any more", q->id);
    } else if (result < 0) {
        log_warning("%s: not %s: %s", q->id, doing[q->kind], why->message);
    } else if (q->kind == JOB_UNPACK && !job_extracted(t->job)->existed) {
        log_info("%s: unpacked %llu entries in %.2f s", q->id,
                 (unsigned long long)job_extracted(t->job)->entries, seconds);
    } else if (q->kind == JOB_REMOVE) {
        log_info("%s: removed in %.2f s", q->id, seconds);
    }
}

static void start_task(struct task *t)
{
    t->running = true;
    t->started = now_monotonic_usec();
    t->job = job_start(t->manager->workers, &t->request, on_done, t);
}

static void start_waiting(struct manager *m)
{
    unsigned running = count_running(m);
    for (struct task *t = m->tasks, *next; t; t = next) {
        next = t->next;
        if (t->running || (t->request.kind == JOB_UNPACK && running >= PARALLEL))
            continue;
        running += t->request.kind == JOB_UNPACK;
        start_task(t);
    }
}

static void on_done(struct job *job, void *userdata)
{
    struct task *t = userdata;
    struct manager *m = t->manager;
    struct error why = ERROR_INIT;
    int result = job_result(job, &why);
    if (result == -ECANCELED && t->waiters) {
        /* A new call arrived after the job was cancelled: it starts again from the beginning. */
        job_free(TAKE_PTR(t->job));
        t->running = false;
    } else {
        log_result(t, result, &why);
        answer_all(t, result, &why);
        task_free(t);
    }
    start_waiting(m);
}

static void notify(struct task *t)
{
    struct unpacker_unpack_out out = progress_of(t);
    for (struct waiter *w = t->waiters; w; w = w->next)
        if (varlink_call_wants_more(w->call) && varlink_call_pending(w->call) < PENDING_MAX)
            varlink_notify(w->call, &out);
}

static void on_progress(void *userdata)
{
    struct manager *m = userdata;
    bool again = false;
    for (struct task *t = m->tasks; t; t = t->next)
        if (t->waiters && t->request.kind == JOB_UNPACK) {
            notify(t);
            again = true;
        }
    /* The timer is not armed again if no call waits. */
    if (again)
        timer_arm(&m->progress_timer, m->event, PROGRESS_INTERVAL, on_progress, m);
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    struct waiter *w = userdata;
    struct task *t = w->task;
    struct waiter **at = &t->waiters;
    (void)call;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    free(w);
    if (t->waiters || t->request.kind != JOB_UNPACK)
        return;
    if (t->running)
        job_cancel(t->job);
    else
        task_free(t);
}

static void wait_for(struct task *t, struct varlink_call *call)
{
    struct waiter *w = xcalloc(1, sizeof *w);
    w->task = t;
    w->call = call;
    w->next = t->waiters;
    t->waiters = w;
    varlink_call_on_gone(call, on_gone, w);
    struct manager *m = t->manager;
    if (t->request.kind == JOB_UNPACK && !timer_armed(&m->progress_timer))
        timer_arm(&m->progress_timer, m->event, PROGRESS_INTERVAL, on_progress, m);
}

static struct task *add_task(struct manager *m, enum job_kind kind, const char *name, const char *id)
{
    struct task *t = xcalloc(1, sizeof *t), **at = &m->tasks;
    t->manager = m;
    t->request = (struct job_request){.kind = kind,
                                      .store = m->store,
                                      .staging = m->staging,
                                      .package_fd = -1,
                                      .name = xstrdup_null(name),
                                      .id = xstrdup_null(id),
                                      .limits = m->limits,
                                      .threads = m->threads};
    while (*at)
        at = &(*at)->next;
    *at = t;
    return t;
}

static struct task *find_task(const struct manager *m, const char *name, const char *id)
{
    for (struct task *t = m->tasks; t; t = t->next)
        if (streq_null(t->request.name, name) && streq_null(t->request.id, id))
            return t;
    return NULL;
}

static int open_package(const struct manager *m, const char *name, const char *id, struct error *e)
{
    _cleanup_free_ char *file = xasprintf("%s/%s.ipk", name, id);
    _cleanup_close_ int packages = open_dir_at(AT_FDCWD, m->packages, e);
    if (packages < 0)
        return packages;
    int fd = open_beneath(packages, file, O_RDONLY, 0, e);
    if (fd == -ENOENT)
        return error_set(e, ERROR_NOT_FOUND, ENOENT,
                         "package '%s' is not in the store: '%s/%s' does not exist", id, m->packages, file);
    _cleanup_close_ int package = fd;
    struct stat st;
    if (package >= 0 && fstat(package, &st) == 0 && !S_ISREG(st.st_mode))
        return error_refuse(e, EINVAL, "package '%s': '%s/%s' is not a regular file", id, m->packages, file);
    return TAKE_FD(package);
}

/* Adds the call to the task of this request, which is created if it does not exist. */
static int join_task(struct manager *m, enum job_kind kind, const char *name, const char *id,
                     const char *checksum, struct varlink_call *call, struct error *e)
{
    struct task *t = find_task(m, name, id);
    if (t && t->request.kind != kind)
        return error_retry(e, EBUSY, "package '%s' is being %s", id, doing[t->request.kind]);
    if (!t) {
        _cleanup_close_ int fd = -1;
        if (kind == JOB_UNPACK && (fd = open_package(m, name, id, e)) < 0)
            return fd;
        t = add_task(m, kind, name, id);
        t->request.package_fd = TAKE_FD(fd);
        t->request.checksum = xstrdup_null(checksum);
    } else if (checksum && !streq_null(t->request.checksum, checksum)) {
        return error_retry(e, EBUSY, "package '%s' is being unpacked for a call with another checksum", id);
    }
    wait_for(t, call);
    start_waiting(m);
    return 0;
}

int manager_unpack(struct manager *m, const struct unpacker_unpack_in *in, struct varlink_call *call,
                   struct error *e)
{
    struct extract_request request = {
        .store = m->store, .staging = m->staging, .name = in->name, .id = in->id};
    bool published = false;
    int r = package_id_check(in->name, in->id, e);
    if (r >= 0)
        r = extract_exists(&request, &published, e);
    if (r < 0)
        return r;
    if (r > 0 && !find_task(m, in->name, in->id)) {
        _cleanup_free_ char *path = path_of(m, in->name, in->id, published);
        varlink_reply(call, &(struct unpacker_unpack_out){.path = path});
        return 0;
    }
    return join_task(m, JOB_UNPACK, in->name, in->id, in->checksum, call, e);
}

int manager_remove(struct manager *m, const char *name, const char *id, struct varlink_call *call,
                   struct error *e)
{
    int r = package_id_check(name, id, e);
    return r < 0 ? r : join_task(m, JOB_REMOVE, name, id, NULL, call, e);
}

static void list_package(const struct manager *m, const char *name, struct varlink_call *call)
{
    int fd = openat(m->store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        close_fd(fd);
        return;
    }
    struct dirent *d;
    while ((d = readdir(dir))) {
        if (package_id_check(name, d->d_name, NULL) < 0)
            continue;
        _cleanup_free_ char *path = xasprintf("%s/%s/%s", m->store_path, name, d->d_name);
        varlink_notify(call,
                       &(struct unpacker_list_out){.id = d->d_name, .name = (char *)name, .path = path});
    }
}

int manager_list(struct manager *m, struct varlink_call *call, struct error *e)
{
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "List sends several replies: call it with \"more\"");
    int fd = openat(m->store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        int why = errno;
        close_fd(fd);
        return error_os(e, why, "cannot read '%s'", m->store_path);
    }
    struct dirent *d;
    while ((d = readdir(dir)))
        if (package_name_check(d->d_name, NULL) >= 0)
            list_package(m, d->d_name, call);
    varlink_reply(call, &(struct unpacker_list_out){0});
    return 0;
}

bool manager_busy(const struct manager *m)
{
    return m->tasks;
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    for (struct task *t = m->tasks; t; t = t->next)
        if (t->job)
            job_cancel(t->job);
    /* The threads use what is freed below. */
    if (m->workers)
        workers_wait(m->workers);
    workers_free(m->workers);
    while (m->tasks)
        task_free(m->tasks);
    timer_stop(&m->progress_timer);
    sd_event_unref(m->event);
    close_fd(m->store);
    close_fd(m->staging);
    free(m->packages);
    free(m->store_path);
    free(m);
}

int manager_new(sd_event *event, const struct manager_options *options, struct manager **ret, struct error *e)
{
    _cleanup_close_ int store = open_dir_at(AT_FDCWD, options->store, e);
    if (store < 0)
        return store;
    _cleanup_close_ int staging = open_beneath(store, IPK_STAGING, O_RDONLY | O_DIRECTORY, 0, e);
    /* Packages in staging at the start are from an earlier process and may be damaged. They are renamed
     * before the first request, which would find them as unpacked. */
    int r = staging < 0 ? staging : staging_forget(staging, e);
    if (r < 0)
        return error_prefix(e, "%s", options->store);
    struct manager *m = xcalloc(1, sizeof *m);
    m->event = sd_event_ref(event);
    m->packages = xstrdup(options->packages);
    m->store_path = xstrdup(options->store);
    m->store = TAKE_FD(store);
    m->staging = TAKE_FD(staging);
    m->limits = options->limits;
    m->threads = options->threads;
    r = workers_new(event, THREADS_MAX, WORKERS_PATIENT, &m->workers, e);
    if (r < 0) {
        manager_free(m);
        return r;
    }
    /* The removal runs beside the requests. It does not touch directories in use, which are locked. */
    add_task(m, JOB_CLEAN, NULL, NULL);
    start_waiting(m);
    *ret = m;
    return 0;
}
