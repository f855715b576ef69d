/* Implements the client of client.h: libcurl's sockets and its one timer as event sources, and the list of
 * requests. */
#include "lib/http/client.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/un.h>

#include "lib/http/request.h"
#include "lib/http/types.h"

/* Every call into libcurl that can run callbacks is made between enter_curl() and leave_curl(). */
static void enter_curl(struct http_client *c)
{
    assert(!c->in_curl);
    c->in_curl = true;
}

static void leave_curl(struct http_client *c)
{
    c->in_curl = false;
}

static void unlink_request(struct http_request *q)
{
    struct http_client *c = q->client;
    if (q->next)
        q->next->previous = q->previous;
    else
        c->last_request = q->previous;
    if (q->previous)
        q->previous->next = q->next;
    else
        c->requests = q->next;
}

/* Removes a request from libcurl and frees it. */
static void drop_request(struct http_request *q)
{
    if (q->added) {
        enter_curl(q->client);
        curl_multi_remove_handle(q->client->multi, q->easy);
        leave_curl(q->client);
    }
    unlink_request(q);
    http_request_destroy(q);
}

static void complete_request(struct http_request *q, CURLcode code)
{
    struct http_result result;
    if (!q->cancelled) {
        http_request_finish(q, code, &result);
        if (!q->cancelled) /* on_headers may have cancelled the request */
            q->on_done(q, &result, q->userdata);
    }
    drop_request(q);
}

/* Completes the transfers that libcurl has finished; their on_done may start and cancel other requests. */
static void collect_finished(struct http_client *c)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        struct http_request *q = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q);
        complete_request(q, code);
    }
}

/* Adds, resumes or drops the first request that is waiting for it, and reports whether there was one. Each
 * of these may change the list, so the caller repeats the call. */
static bool put_off_work(struct http_client *c)
{
    for (struct http_request *q = c->requests; q; q = q->next) {
        if (q->cancelled) {
            drop_request(q);
            return true;
        }
        if (!q->added) {
            q->added = true;
            enter_curl(c);
            CURLMcode m = curl_multi_add_handle(c->multi, q->easy);
            leave_curl(c);
            if (m != CURLM_OK) {
                q->added = false;
                complete_request(q, CURLE_OUT_OF_MEMORY);
            }
            return true;
        }
        if (q->resume_wanted) {
            q->resume_wanted = false;
            q->paused = false;
            enter_curl(c);
            curl_easy_pause(q->easy, CURLPAUSE_CONT);
            leave_curl(c);
            return true;
        }
    }
    return false;
}

static int on_work(sd_event_source *s, void *userdata)
{
    (void)s;
    struct http_client *c = userdata;
    while (put_off_work(c))
        ;
    collect_finished(c);
    return 0;
}

void http_client_defer(struct http_client *c)
{
    if (!c->freeing)
        sd_event_source_set_enabled(c->work, SD_EVENT_ONESHOT);
}

static void act(struct http_client *c, curl_socket_t fd, int what)
{
    int running;
    enter_curl(c);
    curl_multi_socket_action(c->multi, fd, what, &running);
    leave_curl(c);
    collect_finished(c);
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
    (void)s;
    int what = 0;
    if (events & EPOLLIN)
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & (EPOLLERR | EPOLLHUP))
        what |= CURL_CSELECT_ERR;
    act(userdata, fd, what);
    return 0;
}

static void on_timer(void *userdata)
{
    act(userdata, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl's callback: watches a socket for the given events, or stops watching it. libcurl stores the
 * event source for the socket. */
static int socket_function(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
    (void)easy;
    struct http_client *c = userdata;
    sd_event_source *source = socketp;
    if (what == CURL_POLL_REMOVE) {
        sd_event_source_disable_unref(source);
        curl_multi_assign(c->multi, fd, NULL);
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (source)
        return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
    if (sd_event_add_io(c->event, &source, fd, events, on_io, c) < 0)
        return -1;
    sd_event_source_set_description(source, "http");
    curl_multi_assign(c->multi, fd, source);
    return 0;
}

static int timer_function(CURLM *multi, long timeout_ms, void *userdata)
{
    (void)multi;
    struct http_client *c = userdata;
    if (timeout_ms < 0)
        timer_stop(&c->timer);
    else
        timer_arm(&c->timer, c->event, (uint64_t)timeout_ms * USEC_PER_MSEC, on_timer, c);
    return 0;
}

static int add_sources(struct http_client *c)
{
    int r = sd_event_add_defer(c->event, &c->work, on_work, c);
    if (r >= 0)
        r = sd_event_source_set_enabled(c->work, SD_EVENT_OFF);
    return r;
}

int http_client_new(sd_event *event, struct http_client **ret, struct error *e)
{
    static bool initialised;
    if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_fail(e, EIO, "cannot initialise libcurl");
    initialised = true;
    _cleanup_http_client_ struct http_client *c = xcalloc(1, sizeof *c);
    c->event = sd_event_ref(event);
    c->multi = curl_multi_init();
    if (!c->multi)
        return error_fail(e, ENOMEM, "cannot initialise libcurl");
    int r = add_sources(c);
    if (r < 0)
        return error_os(e, -r, "cannot add the HTTP client to the event loop");
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_function);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_function);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    /* The number of idle connections that are kept. There is no limit for each host: a request that waits
     * for a free connection would ignore its timeout. */
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 8L);
    *ret = TAKE_PTR(c);
    return 0;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    c->freeing = true;
    while (c->requests)
        drop_request(c->requests);
    if (c->multi) {
        enter_curl(c);
        /* Closes the idle connections, which removes their event sources. */
        curl_multi_cleanup(c->multi);
        leave_curl(c);
    }
    timer_stop(&c->timer);
    sd_event_source_disable_unref(c->work);
    sd_event_unref(c->event);
    while (c->directories) {
        struct http_directory *d = c->directories;
        c->directories = d->next;
        close_fd(d->fd);
        free(d->path);
        free(d);
    }
    free(c);
}

int http_request_start(struct http_client *c, const struct http_ask *ask, struct http_request **ret,
                       struct error *e)
{
    assert(ask->url && ask->on_done);
    struct http_request *q = xcalloc(1, sizeof *q);
    q->client = c;
    int r = http_request_setup(q, ask, e);
    if (r < 0) {
        http_request_destroy(q);
        return r;
    }
    q->previous = c->last_request;
    if (q->previous)
        q->previous->next = q;
    else
        c->requests = q;
    c->last_request = q;
    http_client_defer(c);
    if (ret)
        *ret = q;
    return 0;
}

void http_request_cancel(struct http_request *q)
{
    if (!q || q->cancelled)
        return;
    q->cancelled = true;
    /* The request is dropped later: the caller may be its own callback, or libcurl may be on the stack. */
    http_client_defer(q->client);
}

int http_short_socket_path(struct http_client *c, const char *path, char **ret, struct error *e)
{
    if (strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path) {
        *ret = xstrdup(path);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    if (!slash || strlen(slash) > 64)
        return error_refuse(e, ENAMETOOLONG, "the socket's name '%s' is too long", path);
    _cleanup_free_ char *directory = xstrndup(path, (size_t)(slash - path) + 1);
    struct http_directory *d = c->directories;
    while (d && !streq(d->path, directory))
        d = d->next;
    if (!d) {
        int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return error_os(e, errno, "cannot open directory '%s'", directory);
        d = xcalloc(1, sizeof *d);
        *d = (struct http_directory){.next = c->directories, .path = TAKE_PTR(directory), .fd = fd};
        c->directories = d;
    }
    *ret = xasprintf("/proc/self/fd/%d%s", d->fd, slash);
    return 0;
}
