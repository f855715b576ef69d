/* Implements Logs, which relays a container's output to a client's raw connection no faster than the client
 * reads, and Tail, which returns the last lines. */
#include "container-driver/methods_logs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "container-driver/tail.h"
#include "container-driver/task.h"
#include "lib/logs/frames.h"
#include "lib/schema/object.h"

#define TAIL_DEFAULT 20
#define RELAYS_MAX   256 /* of one user */
/* Number of the stream for the driver's own messages. Docker uses the same number for its own. */
#define DRIVER_WORDS 3

static int negative(const char *name, int64_t value, struct error *e)
{
    return value < 0 ? error_refuse(e, ERANGE, "%s of %lld is negative", name, (long long)value) : 0;
}

static void fail_missing(struct task *task)
{
    struct error e = ERROR_INIT;
    error_set(&e, ERROR_NOT_FOUND, ENOENT, "there is no container '%s'", task->name);
    task_fail(task, &e);
}

static struct runtime_log_options options_of(const struct task *task)
{
    const struct driver_logs_in *in = task->in;
    return (struct runtime_log_options){.follow = in->follow, .since_msec = in->since, .tail = in->tail};
}

/* Logs */

struct relay {
    struct relay *next;
    struct manager *manager;
    uid_t uid;               /* of the client */
    struct runtime_job *job; /* NULL: the log has ended, the rest is being sent */
    int fd;
    sd_event_source *io;
    char *buffer; /* data that the socket has not accepted yet */
    size_t used, sent;
};

static void relay_free(struct relay *r)
{
    for (struct relay **at = &r->manager->relays; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            break;
        }
    runtime_job_cancel(r->job);
    sd_event_source_disable_unref(r->io);
    close_fd(r->fd);
    free(r->buffer);
    free(r);
}

void relays_close(struct manager *manager)
{
    while (manager->relays)
        relay_free(manager->relays);
}

/* Sends as much as the socket accepts now. Returns the number of bytes sent, or a negative errno. */
static ssize_t send_some(struct relay *r, const char *data, size_t size)
{
    ssize_t n = send(r->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static void keep(struct relay *r, const char *data, size_t size)
{
    if (size == 0)
        return;
    r->buffer = xrealloc(r->buffer, r->used + size, 1);
    memcpy(r->buffer + r->used, data, size);
    r->used += size;
    sd_event_source_set_io_events(r->io, EPOLLOUT);
}

static int on_log_data(const void *data, size_t size, void *userdata)
{
    struct relay *r = userdata;
    ssize_t n = r->used > 0 ? 0 : send_some(r, data, size);
    if (n < 0)
        return (int)n; /* the client hung up: the event loop calls on_client() as well */
    keep(r, (const char *)data + n, size - (size_t)n);
    if (r->used > 0)
        r->job->pause(r->job);
    return 0;
}

static void on_log_end(const struct error *e, void *userdata)
{
    struct relay *r = userdata;
    r->job = NULL;
    if (e) {
        _cleanup_free_ char *words = xasprintf("hostlet: the log ends here: %s\n", e->message);
        uint8_t header[LOG_FRAME_HEADER];
        log_frame_header(DRIVER_WORDS, (uint32_t)strlen(words), header);
        keep(r, (const char *)header, sizeof header);
        keep(r, words, strlen(words));
    }
    if (r->used == 0)
        relay_free(r);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)fd;
    struct relay *r = userdata;
    if (events & (EPOLLHUP | EPOLLERR)) {
        relay_free(r);
        return 0;
    }
    ssize_t n = send_some(r, r->buffer + r->sent, r->used - r->sent);
    if (n < 0) {
        relay_free(r);
        return 0;
    }
    r->sent += (size_t)n;
    if (r->sent < r->used)
        return 0;
    free(r->buffer);
    r->buffer = NULL;
    r->used = r->sent = 0;
    sd_event_source_set_io_events(source, 0);
    if (r->job)
        r->job->resume(r->job);
    else
        relay_free(r);
    return 0;
}

/* Enforces the limit of a user's relays. The Varlink server does not count them, because an upgraded
 * connection is no longer the server's. */
static int check_relays(const struct manager *m, uid_t uid, struct error *e)
{
    unsigned n = 0;
    for (const struct relay *r = m->relays; r; r = r->next)
        n += r->uid == uid;
    return n < RELAYS_MAX ? 0 : error_retry(e, EBUSY, "this user has %u open logs already", n);
}

static void relay_log(struct task *task, struct driver_container *c)
{
    struct manager *m = task->manager;
    struct error e = ERROR_INIT;
    uid_t uid = (uid_t)-1;
    int fd = -1;
    if (!c) {
        fail_missing(task);
        return;
    }
    if (task->call)
        uid = varlink_call_uid(task->call);
    if (task->call && check_relays(m, uid, &e) < 0) {
        task_fail(task, &e);
        return;
    }
    if (!task->call || varlink_upgrade(task->call, NULL, &fd, &e) < 0) {
        task->call = NULL; /* the client has hung up, or lib/varlink closes the connection */
        task_fail(task, &e);
        return;
    }
    task->call = NULL;
    struct relay *r = xcalloc(1, sizeof *r);
    *r = (struct relay){.next = m->relays, .manager = m, .uid = uid, .fd = fd};
    m->relays = r;
    struct runtime_log_options options = options_of(task);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (sd_event_add_io(m->event, &r->io, fd, 0, on_client, r) < 0)
        relay_free(r);
    else
        r->job = m->runtime->ops->logs(m->runtime, c->id, &options, on_log_data, on_log_end, r);
    task_reply(task, NULL);
}

int method_logs(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct driver_logs_in *l = in;
    int r = negative("since", l->since, e) ?: negative("tail", l->tail, e);
    if (r < 0)
        return r;
    struct task *task = task_new(userdata, call, "Logs", in);
    task_with_own_container(task, l->instance, l->replica_id, l->slot, relay_log);
    return 0;
}

/* Tail */

struct tail_job {
    struct task *task;
    struct log_frames frames;
    struct tail tail;
};

static int on_tail_data(const void *data, size_t size, void *userdata)
{
    struct tail_job *job = userdata;
    return log_frames_feed(&job->frames, data, size, tail_piece, &job->tail, NULL);
}

static void on_tail_end(const struct error *e, void *userdata)
{
    struct tail_job *job = userdata;
    struct driver_tail_out out = {0};
    if (e) {
        task_fail(job->task, e);
    } else {
        tail_take(&job->tail, &out.lines, &out.n_lines);
        const struct schema_struct *schema = job->task->method->out;
        task_reply(job->task, &out);
        schema_done(schema, &out);
    }
    tail_done(&job->tail);
    free(job);
}

static void read_tail(struct task *task, struct driver_container *c)
{
    struct runtime *rt = task->manager->runtime;
    if (!c) {
        fail_missing(task);
        return;
    }
    struct runtime_log_options options = options_of(task);
    options.tail = options.tail ?: TAIL_DEFAULT;
    struct tail_job *job = xcalloc(1, sizeof *job);
    job->task = task;
    job->tail.max = (size_t)options.tail;
    rt->ops->logs(rt, c->id, &options, on_tail_data, on_tail_end, job);
}

int method_tail(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct driver_logs_in *l = in;
    int r = negative("since", l->since, e) ?: negative("tail", l->tail, e);
    if (r < 0)
        return r;
    if (l->tail > TAIL_LINES_MAX || l->follow)
        return error_refuse(e, EINVAL, "Tail returns at most %d lines, and does not follow", TAIL_LINES_MAX);
    struct task *task = task_new(userdata, call, "Tail", in);
    task_with_own_container(task, l->instance, l->replica_id, l->slot, read_tail);
    return 0;
}
