/* Implements client-sync.h. */
#include "lib/varlink/client-sync.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"
#include "lib/varlink/unix.h"

struct waiting {
    const struct varlink_method *method;
    void *ret;
    struct error *e;
    int result;
    bool done;
};

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct waiting *w = userdata;
    if (e) {
        w->result = -e->errnum;
        if (w->e)
            *w->e = *e;
    } else if (w->ret && w->method->out) {
        schema_done(w->method->out, w->ret);
        schema_copy(w->method->out, out, w->ret);
    }
    w->done = !continues;
}

int varlink_call_sync(const struct varlink_call_options *options, void *ret, struct error *e)
{
    sd_event *event = NULL;
    int r = sd_event_new(&event);
    if (r < 0)
        return error_os(e, -r, "cannot make an event loop");
    struct waiting w = {
        .method = varlink_find_method(options->interface, options->method), .ret = ret, .e = e};
    varlink_call_start(event, options, on_answer, &w);
    while (!w.done) {
        r = sd_event_run(event, UINT64_MAX);
        if (r < 0 && r != -EINTR)
            break;
    }
    sd_event_unref(event);
    return w.done ? w.result : error_os(e, -r, "the event loop failed");
}

/* Reads the reply byte by byte up to its NUL, because the bytes after it belong to the raw stream. The caller
 * frees *ret. */
static int read_answer(int fd, uint64_t deadline, char **ret, struct error *e)
{
    _cleanup_free_ char *text = NULL;
    size_t n = 0;
    for (;;) {
        char c;
        ssize_t got = recv(fd, &c, 1, MSG_DONTWAIT);
        if (got == 0)
            return error_retry(e, ECONNRESET, "the service closed the connection before it replied");
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return error_os(e, errno, "cannot read the reply");
        if (got < 0) {
            uint64_t now = now_monotonic_usec();
            struct pollfd p = {.fd = fd, .events = POLLIN};
            if (deadline && now >= deadline)
                return error_retry(e, ETIMEDOUT, "no reply in time");
            (void)poll(&p, 1, deadline ? (int)((deadline - now) / USEC_PER_MSEC) + 1 : -1);
            continue;
        }
        text = xrealloc(text, n + 1, 1);
        text[n++] = c;
        if (c == '\0')
            break;
        if (n > VARLINK_MESSAGE_MAX)
            return error_fail(e, EMSGSIZE, "the reply is too large");
    }
    *ret = TAKE_PTR(text);
    return 0;
}

int varlink_call_upgrade(const struct varlink_call_options *options, void *ret, int *ret_fd, struct error *e)
{
    const struct varlink_method *m = varlink_find_method(options->interface, options->method);
    uint64_t deadline = options->timeout_usec ? now_monotonic_usec() + options->timeout_usec : 0;
    _cleanup_close_ int fd = unix_connect(options->socket, e);
    if (fd < 0)
        return fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    _cleanup_free_ char *full = xasprintf("%s.%s", options->interface->name, options->method), *answer = NULL;
    _cleanup_(json_decrefp) json_t *message = json_pack("{s:s,s:b}", "method", full, "upgrade", 1);
    if (m->in && options->in)
        json_object_set_new(message, "parameters", schema_pack(m->in, options->in));
    _cleanup_free_ char *text = json_dumps(message, JSON_COMPACT);
    for (size_t sent = 0, size = strlen(text) + 1; sent < size;) {
        ssize_t n = send(fd, text + sent, size - sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            break; /* the server may have sent an error before it closed the connection */
        if (n < 0 && errno != EINTR)
            return error_os(e, errno, "cannot send the call");
        sent += n > 0 ? (size_t)n : 0;
    }
    int r = read_answer(fd, deadline, &answer, e);
    if (r < 0)
        return r;
    _cleanup_(json_decrefp) json_t *json = json_loads(answer, JSON_REJECT_DUPLICATES, NULL);
    const char *error = json_string_value(json_object_get(json, "error"));
    json_t *parameters = json_object_get(json, "parameters");
    if (error)
        return error_set(e, varlink_error_class(error), EIO, "%s",
                         json_string_value(json_object_get(parameters, "reason")) ?: error);
    if (m->out && ret && (r = schema_parse(m->out, parameters, 0, ret, e)) < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}
