/* Implements client.h. */
#include "lib/varlink/client.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"
#include "lib/varlink/unix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/loop/timer.h"
#include "lib/varlink/stream.h"

#define CONNECT_PATIENCE_USEC (10 * USEC_PER_SEC)
#define CONNECT_PAUSE_USEC    (20 * USEC_PER_MSEC)

struct varlink_request {
    sd_event *event;
    char *socket, *name; /* path of the service's socket; full name of the method, for messages */
    const struct varlink_method *method;
    json_t *message;
    struct stream *stream;
    struct timer timer, connect_timer;
    uint64_t timeout_usec, connect_deadline;
    bool upgrade;
    varlink_answer_fn on_answer;
    void *userdata;
    struct error failure;
};

static void request_free(struct varlink_request *q)
{
    if (!q)
        return;
    stream_free(q->stream);
    timer_stop(&q->timer);
    timer_stop(&q->connect_timer);
    sd_event_unref(q->event);
    json_decref(q->message);
    free(q->socket);
    free(q->name);
    free(q);
}

void varlink_request_cancel(struct varlink_request *request)
{
    request_free(request);
}

/* Delivers the last reply. The request is freed before the callback runs, so that the callback can start
 * another call. */
static void request_finish(struct varlink_request *q, const void *out, const struct error *e)
{
    varlink_answer_fn on_answer = q->on_answer;
    void *userdata = q->userdata;
    struct error copy = ERROR_INIT;
    if (e)
        copy = *e;
    request_free(q);
    on_answer(out, false, e ? &copy : NULL, userdata);
}

static void answer_error(struct varlink_request *q, const char *name, json_t *parameters)
{
    struct error e = ERROR_INIT;
    const char *reason = json_string_value(json_object_get(parameters, "reason"));
    if (!reason)
        reason = json_string_value(json_object_get(parameters, "parameter"));
    enum error_class class = varlink_error_class(name);
    int errnum = class == ERROR_RETRY       ? EAGAIN
                 : class == ERROR_NOT_FOUND ? ENOENT
                 : class == ERROR_CONFLICT  ? EEXIST
                 : class == ERROR_REFUSED   ? EINVAL
                                            : EIO;
    if (after_prefix(name, "io.hostlet."))
        error_set(&e, class, errnum, "%s", reason ?: name);
    else
        error_set(&e, class, errnum, "%s answered %s%s%s", q->name, name, reason ? ": " : "", reason ?: "");
    request_finish(q, NULL, &e);
}

static void on_timeout(void *userdata)
{
    struct varlink_request *q = userdata;
    struct error e = ERROR_INIT;
    error_retry(&e, ETIMEDOUT, "%s: no reply within %.3g s", q->name, (double)q->timeout_usec / 1e6);
    request_finish(q, NULL, &e);
}

/* Starts the time-out for the first reply, or for the next one of a stream. */
static void time_answer(struct varlink_request *q)
{
    if (q->timeout_usec)
        timer_arm(&q->timer, q->event, q->timeout_usec, on_timeout, q);
}

static int on_message(struct stream *stream, json_t *message, void *userdata)
{
    (void)stream;
    struct varlink_request *q = userdata;
    struct error e = ERROR_INIT;
    const char *error = json_string_value(json_object_get(message, "error"));
    json_t *parameters = json_object_get(message, "parameters");
    if (error) {
        answer_error(q, error, parameters);
        return -1;
    }
    bool continues = json_is_true(json_object_get(message, "continues"));
    const struct schema_struct *s = q->method->out;
    void *out = s ? xcalloc(1, s->size) : NULL;
    if (s && schema_parse(s, parameters, 0, out, &e) < 0) {
        free(out);
        error_prefix(&e, "%s sent a malformed reply", q->name);
        request_finish(q, NULL, &e);
        return -1;
    }
    if (!continues) {
        request_finish(q, out, NULL);
    } else {
        time_answer(q);
        q->on_answer(out, true, NULL, q->userdata);
    }
    if (s)
        schema_free(s, out);
    return continues ? 0 : -1;
}

static void on_closed(struct stream *stream, const struct error *e, void *userdata)
{
    (void)stream;
    struct varlink_request *q = userdata;
    struct error copy = ERROR_INIT;
    error_retry(&copy, e->errnum ?: ECONNRESET, "%s: the service closed the connection before it replied",
                q->name);
    request_finish(q, NULL, &copy);
}

/* Connects and sends the call; the timer calls it again while the socket's backlog is full. */
static void on_connect(void *userdata)
{
    struct varlink_request *q = userdata;
    struct error e = ERROR_INIT;
    int fd = unix_connect(q->socket, &e);
    if (fd == -EAGAIN && now_monotonic_usec() < q->connect_deadline) {
        timer_arm(&q->connect_timer, q->event, CONNECT_PAUSE_USEC, on_connect, q);
        return;
    }
    int r = fd < 0 ? fd : stream_new(q->event, fd, on_message, on_closed, q, &q->stream);
    if (r < 0) {
        if (fd >= 0)
            error_os(&e, -r, "cannot watch a connection");
        request_finish(q, NULL, &e);
        return;
    }
    if (stream_send(q->stream, q->message) == -EMSGSIZE) {
        error_refuse(&e, EMSGSIZE, "%s: the request has more than %zu bytes or %zu values", q->name,
                     VARLINK_MESSAGE_MAX, VARLINK_VALUES_MAX);
        request_finish(q, NULL, &e);
    }
}

static json_t *make_message(const struct varlink_call_options *o, const struct varlink_method *m,
                            bool upgrade)
{
    char *full = xasprintf("%s.%s", o->interface->name, o->method);
    json_t *message = json_pack("{s:s}", "method", full);
    free(full);
    if (m->in && o->in)
        json_object_set_new(message, "parameters", schema_pack(m->in, o->in));
    if (o->more)
        json_object_set_new(message, "more", json_true());
    if (upgrade)
        json_object_set_new(message, "upgrade", json_true());
    return message;
}

static const struct varlink_method *method_of(const struct varlink_call_options *o)
{
    const struct varlink_method *m = varlink_find_method(o->interface, o->method);
    if (!m)
        abort(); /* a mistake in the program: the interface does not declare the method */
    return m;
}

struct varlink_request *varlink_call_start(sd_event *event, const struct varlink_call_options *options,
                                           varlink_answer_fn on_answer, void *userdata)
{
    struct varlink_request *q = xcalloc(1, sizeof *q);
    q->event = sd_event_ref(event);
    q->method = method_of(options);
    q->socket = xstrdup(options->socket);
    q->name = xasprintf("%s.%s", options->interface->name, options->method);
    q->message = make_message(options, q->method, false);
    q->timeout_usec = options->timeout_usec;
    q->on_answer = on_answer;
    q->userdata = userdata;
    q->connect_deadline = now_monotonic_usec() + (options->timeout_usec ?: CONNECT_PATIENCE_USEC);
    timer_arm(&q->connect_timer, event, 0, on_connect, q);
    time_answer(q);
    return q;
}
