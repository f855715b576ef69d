/* Implements download_report.h. */
#include "fetcher/download_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/basic/log.h"

#define PROGRESS_USEC  (100 * USEC_PER_MSEC)
#define HEARTBEAT_USEC (5 * USEC_PER_SEC)
/* A caller that does not read its connection misses progress messages, so that they do not fill the
 * memory. */
#define UNSENT_MAX 65536

static void tell(struct download *d, bool with_message)
{
    d->told_usec = now_monotonic_usec();
    const struct fetcher_fetch_out out = {
        .done = (int64_t)(d->sink ? sink_position(d->sink) : 0),
        .total = (int64_t)(d->total ?: (uint64_t)d->package->size),
        .message = with_message && *d->message ? d->message : NULL,
    };
    for (size_t i = 0; i < d->n_calls; i++)
        if (varlink_call_wants_more(d->calls[i]) && varlink_call_pending(d->calls[i]) < UNSENT_MAX)
            varlink_notify(d->calls[i], &out);
}

void download_say(struct download *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(d->message, sizeof d->message, fmt, ap);
    va_end(ap);
    log_debug("package '%s': %s", d->package->id, d->message);
    tell(d, true);
}

void download_progress(struct download *d)
{
    if (now_monotonic_usec() - d->told_usec >= PROGRESS_USEC)
        tell(d, false);
}

/* Sends the progress again if it was not sent for some time: callers limit the time between two replies. */
static void on_heartbeat(void *userdata)
{
    struct download *d = userdata;
    if (d->n_calls == 0)
        return;
    if (now_monotonic_usec() - d->told_usec >= HEARTBEAT_USEC)
        tell(d, true);
    timer_arm(&d->heartbeat, d->fetcher->event, HEARTBEAT_USEC, on_heartbeat, d);
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    struct download *d = userdata;
    for (size_t i = 0; i < d->n_calls; i++)
        if (d->calls[i] == call) {
            d->calls[i] = d->calls[--d->n_calls];
            break;
        }
    if (d->n_calls == 0)
        download_abandon(d);
}

void download_add_call(struct download *d, struct varlink_call *call)
{
    d->calls = xrealloc(d->calls, d->n_calls + 1, sizeof *d->calls);
    d->calls[d->n_calls++] = call;
    varlink_call_on_gone(call, on_gone, d);
    if (!timer_armed(&d->heartbeat))
        timer_arm(&d->heartbeat, d->fetcher->event, HEARTBEAT_USEC, on_heartbeat, d);
    if (d->n_calls > 1 && d->state != DOWNLOAD_STOPPING)
        tell(d, true);
}

void download_answer(struct download *d, const char *path, uint64_t size)
{
    const struct fetcher_fetch_out out = {
        .done = (int64_t)size, .total = (int64_t)size, .path = (char *)path};
    while (d->n_calls > 0)
        varlink_reply(d->calls[--d->n_calls], &out);
}

void download_answer_error(struct download *d, const struct error *e)
{
    log_notice("%s", e->message);
    while (d->n_calls > 0)
        varlink_error(d->calls[--d->n_calls], e);
}

void download_forget_calls(struct download *d)
{
    while (d->n_calls > 0)
        varlink_call_on_gone(d->calls[--d->n_calls], NULL, NULL);
}
