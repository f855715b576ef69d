/* Implements call.h: requests the version of the API before the first call, limits the number of concurrent
 * requests and the time of each (streams excepted), and turns refusals into errors. */
#include "container-driver/docker/call.h"

#include <errno.h>

#include "container-driver/docker/failure.h"
#include "container-driver/docker/group.h"
#include "container-driver/docker/seccomp.h"
#include "container-driver/docker/version.h"
#include "container-driver/reading.h"
#include "lib/basic/log.h"
#include "lib/http/request.h"
#include "lib/loop/timer.h"

/* Limit of the ordinary requests that run at the same time. The others wait here and not in libcurl, where
 * the time of waiting would count towards their time-outs. */
#define ACTIVE_MAX       16
#define DEFAULT_MAX_BODY ((size_t)4 << 20)
#define REFUSAL_MAX      4096

struct docker_call {
    struct docker *d;
    struct docker_call *next, *previous;
    struct http_request *request;  /* NULL while it waits */
    struct timer begin_timer;      /* for streams: time-out of the response's headers */
    sd_event_source *failed_later; /* reports a call that failed before it was sent */
    struct docker_ask ask;         /* with copies of its strings */
    char *body;
    docker_answer_fn answer;
    void *userdata;
    unsigned status;
    char refusal[REFUSAL_MAX]; /* the beginning of the body when Docker refused a stream */
    size_t n_refusal;
    struct error error; /* of on_data, or why the call failed before it was sent */
    bool unversioned;
    bool taker_failed; /* on_data ended the call, not Docker */
    bool ending;       /* its callback runs, after which call_answer() frees it, also when it is cancelled */
};

static void call_send_waiting(struct docker *d);

unsigned docker_call_status(const struct docker_call *call)
{
    return call->status;
}

static bool is_stream(const struct docker_call *call)
{
    return call->ask.on_data;
}

static void call_free(struct docker_call *call)
{
    struct docker *d = call->d;
    if (call->next)
        call->next->previous = call->previous;
    else
        d->last_call = call->previous;
    if (call->previous)
        call->previous->next = call->next;
    else
        d->calls = call->next;
    if (call->request && !is_stream(call) && !call->unversioned)
        d->active--;
    if (d->version_call == call)
        d->version_call = NULL;
    timer_stop(&call->begin_timer);
    sd_event_source_disable_unref(call->failed_later);
    free((char *)call->ask.what);
    free((char *)call->ask.method);
    free((char *)call->ask.path);
    free((char *)call->ask.header);
    free(call->body);
    free(call);
}

void docker_call_cancel(struct docker_call *call)
{
    if (!call)
        return;
    struct docker *d = call->d;
    if (call->ending) {
        call->answer = NULL;
        return;
    }
    http_request_cancel(call->request);
    call_free(call);
    call_send_waiting(d);
}

void docker_call_pause(struct docker_call *call)
{
    http_request_pause(call->request);
}

void docker_call_resume(struct docker_call *call)
{
    if (call->request)
        http_request_resume(call->request);
}

int docker_call_fail(struct docker_call *call, const struct error *e)
{
    call->error = *e;
    return -e->errnum;
}

/* Passes the result to the caller's callback and frees the call. */
static void call_answer(struct docker_call *call, json_t *body, const struct error *e)
{
    struct docker *d = call->d;
    if (call->answer)
        call->answer(call, body, e, call->userdata);
    call_free(call);
    call_send_waiting(d);
}

static int on_failed_later(sd_event_source *s, void *userdata)
{
    (void)s;
    struct docker_call *call = userdata;
    struct error e = call->error;
    call->ending = true;
    call_answer(call, NULL, &e);
    return 0;
}

/* Fails a call that was not sent. The event loop reports it. */
static void call_fail_later(struct docker_call *call, const struct error *e)
{
    if (call->failed_later)
        return;
    call->error = *e;
    error_prefix(&call->error, "cannot %s", call->ask.what);
    sd_event_add_defer(call->d->event, &call->failed_later, on_failed_later, call);
}

/* Sets the runtime's state to down after a missing or incomplete response. An exception is a pull without
 * progress for too long, for which the registry can be the cause. */
static void call_found_down(struct docker_call *call, const struct error *e)
{
    if (call->ask.quiet_seconds == 0 || e->errnum != ETIMEDOUT)
        docker_set_state(call->d, DRIVER_RUNTIME_DOWN, e);
    if (e->errnum == EACCES)
        docker_check_group(call->d);
}

/* Evaluates the complete response, or the failure of the request. */
static void on_done(struct http_request *request, const struct http_result *result, void *userdata)
{
    (void)request;
    struct docker_call *call = userdata;
    struct docker *d = call->d;
    struct error e = result->error;
    _cleanup_json_ json_t *body = NULL;
    call->ending = true;
    call->status = result->status;
    if (result->r < 0 && call->taker_failed) {
        e = call->error.errnum ? call->error : result->error; /* the error of on_data */
    } else if (result->r < 0) {
        call_found_down(call, &result->error);
        error_prefix(&e, "cannot %s", call->ask.what);
    } else if (result->status >= 400) {
        docker_set_state(d, DRIVER_RUNTIME_UP, NULL);
        docker_refusal(call->ask.what, result->status, is_stream(call) ? call->refusal : result->body,
                       is_stream(call) ? call->n_refusal : result->body_size, &e);
        /* Another version of Docker has replaced the daemon since the last request. */
        if (result->status == 400 && strstr(e.message, "client version")) {
            free(d->api);
            d->api = NULL;
            e.class = ERROR_RETRY;
        }
    } else if (call->ask.json &&
               parse_answer("Docker's response", result->body, result->body_size, &body, &e) < 0) {
        docker_set_state(d, DRIVER_RUNTIME_DOWN, &e);
        error_prefix(&e, "cannot %s", call->ask.what);
    } else {
        docker_set_state(d, DRIVER_RUNTIME_UP, NULL);
    }
    call_answer(call, body, e.errnum ? &e : NULL);
}

static int on_headers(struct http_request *request, unsigned status, void *userdata)
{
    (void)request;
    struct docker_call *call = userdata;
    call->status = status;
    timer_stop(&call->begin_timer);
    if (status < 400 && call->ask.on_begin)
        call->ask.on_begin(call, call->userdata);
    return 0;
}

static int on_data(struct http_request *request, const void *data, size_t size, void *userdata)
{
    (void)request;
    struct docker_call *call = userdata;
    if (call->status < 400) {
        int r = call->ask.on_data(call, data, size, call->userdata);
        if (r < 0) /* the call still exists: on_data has not cancelled it */
            call->taker_failed = true;
        return r;
    }
    size_t n = sizeof call->refusal - call->n_refusal;
    if (n > size)
        n = size;
    memcpy(call->refusal + call->n_refusal, data, n);
    call->n_refusal += n;
    return 0;
}

static void on_begin_timer(void *userdata)
{
    struct docker_call *call = userdata;
    uint64_t timeout = call->ask.timeout_usec ?: call->d->settings->request_timeout_usec;
    struct error e = ERROR_INIT;
    error_retry(&e, ETIMEDOUT, "no response over '%s' within %llu ms", call->d->settings->docker_socket,
                (unsigned long long)(timeout / USEC_PER_MSEC));
    call->ending = true;
    http_request_cancel(call->request);
    call_found_down(call, &e);
    error_prefix(&e, "cannot %s", call->ask.what);
    call_answer(call, NULL, &e);
}

static void call_send(struct docker_call *call)
{
    struct docker *d = call->d;
    const struct docker_ask *a = &call->ask;
    _cleanup_free_ char *url = call->unversioned ? xasprintf("http://docker%s", a->path)
                                                 : xasprintf("http://docker/v%s%s", d->api, a->path);
    const char *headers[] = {"Content-Type: application/json", a->header, NULL};
    uint64_t timeout = a->timeout_usec ?: d->settings->request_timeout_usec;
    struct http_ask ask = {
        .method = a->method,
        .url = url,
        .unix_socket = d->settings->docker_socket,
        .headers = headers,
        .body = call->body,
        .body_size = call->body ? strlen(call->body) : 0,
        .connect_timeout_usec = timeout,
        .total_timeout_usec = is_stream(call) ? 0 : timeout,
        .low_speed_seconds = a->quiet_seconds,
        .max_body = a->max_body ?: DEFAULT_MAX_BODY,
        .on_headers = on_headers,
        .on_data = is_stream(call) ? on_data : NULL,
        .on_done = on_done,
        .userdata = call,
    };
    struct error e = ERROR_INIT;
    if (http_request_start(d->http, &ask, &call->request, &e) < 0) {
        call_fail_later(call, &e);
        return;
    }
    if (is_stream(call))
        timer_arm(&call->begin_timer, d->event, timeout, on_begin_timer, call);
    else if (!call->unversioned)
        d->active++;
}

/* Fails the calls that were not sent yet, because they would only wait for the same failure. */
static void fail_waiting(struct docker *d, const struct error *e)
{
    for (struct docker_call *c = d->calls; c; c = c->next)
        if (!c->request)
            call_fail_later(c, e);
}

static void on_version(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)call;
    struct docker *d = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's response to GET /version", .error = &own};
    d->version_call = NULL;
    if (e) {
        fail_waiting(d, e);
        return;
    }
    const char *newest = need_string(&r, body, "ApiVersion"),
               *oldest = read_string(&r, body, "MinAPIVersion");
    char *api = NULL;
    int x = r.r < 0 ? r.r : docker_choose_version(newest, oldest, &api, &own);
    if (x < 0) {
        docker_set_state(d, DRIVER_RUNTIME_DOWN, &own);
        fail_waiting(d, &own);
        return;
    }
    free(d->api);
    d->api = api;
    docker_learn_version(d, body);
    log_debug("using version %s of Docker's API (the daemon's newest: %s)", d->api, newest);
}

static struct docker_call *call_new(struct docker *d, const struct docker_ask *ask, docker_answer_fn answer,
                                    void *userdata)
{
    struct docker_call *call = xcalloc(1, sizeof *call);
    *call = (struct docker_call){
        .d = d, .ask = *ask, .answer = answer, .userdata = userdata, .previous = d->last_call};
    call->ask.what = xstrdup(ask->what);
    call->ask.method = xstrdup_null(ask->method);
    call->ask.path = xstrdup(ask->path);
    call->ask.header = xstrdup_null(ask->header);
    call->body = ask->body ? json_dumps(ask->body, JSON_COMPACT) : NULL;
    call->ask.body = NULL;
    if (call->previous)
        call->previous->next = call;
    else
        d->calls = call;
    d->last_call = call;
    return call;
}

static void ask_version(struct docker *d)
{
    if (d->version_call)
        return;
    struct docker_ask ask = {.what = "ask Docker for its version", .path = "/version", .json = true};
    d->version_call = call_new(d, &ask, on_version, d);
    d->version_call->unversioned = true;
    call_send(d->version_call);
}

/* Sends the waiting calls as far as the limit allows; asks for Docker's version first. */
static void call_send_waiting(struct docker *d)
{
    for (struct docker_call *c = d->freeing ? NULL : d->calls, *next; c; c = next) {
        next = c->next;
        if (c->request || c->failed_later)
            continue;
        if (!d->api) {
            ask_version(d);
            return;
        }
        if (is_stream(c) || d->active < ACTIVE_MAX)
            call_send(c);
    }
}

struct docker_call *docker_call(struct docker *d, const struct docker_ask *ask, docker_answer_fn answer,
                                void *userdata)
{
    struct docker_call *call = call_new(d, ask, answer, userdata);
    call_send_waiting(d);
    return call;
}

void docker_set_state(struct docker *d, enum driver_runtime_state state, const struct error *reason)
{
    const char *why = reason ? reason->message : NULL;
    if (d->state != state && state == DRIVER_RUNTIME_DOWN)
        log_warning("Docker is down: %s", why);
    else if (d->state != state)
        log_info("Docker responds");
    d->state = state;
    free(d->reason);
    d->reason = xstrdup_null(why);
    if (state != DRIVER_RUNTIME_DOWN)
        return;
    free(d->api); /* a restarted Docker can have another version, or be another engine */
    d->api = NULL;
    docker_forget_engine(d);
    fail_waiting(d, reason);
    d->on_down(d->events, why);
}

char *docker_escape(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char *out = xcalloc(3 * strlen(text) + 1, 1), *at = out;
    for (const char *c = text; *c; c++)
        if (strchr(plain, *c)) {
            *at++ = *c;
        } else {
            *at++ = '%';
            bytes_to_hex((const uint8_t *)c, 1, at);
            at += 2;
        }
    return out;
}
