/* Implements download_http.h: sends one request at a time, whose response continues the partial file or
 * replaces it. */
#include "fetcher/download_http.h"

#include <errno.h>

#include "fetcher/answer.h"
#include "fetcher/download_report.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/http/request.h"

/* More than libcurl delivers after a pause was requested. */
#define ROOM_MIN ((size_t)256 * 1024)

/* Prepares the receipt of the whole file: stores its facts before its first byte. */
static void begin_whole(struct download *d, struct http_request *request)
{
    _cleanup_free_ char *url = repository_file_name(d->repository, d->file);
    if (d->asked_from > 0) {
        const char *why = d->facts.etag || d->facts.last_modified
                              ? "the server does not resume, or the file has changed"
                              : "the server does not resume";
        log_info("package '%s': %s; starting over", d->package->id, why);
        download_say(d, "%s; starting over", why);
    } else {
        download_say(d, "downloading from %s", d->repository->name);
    }
    facts_done(&d->facts);
    d->facts = (struct facts){
        .url = TAKE_PTR(url),
        .etag = strong_etag(http_request_header(request, "ETag")),
        .last_modified = plain_date(http_request_header(request, "Last-Modified")),
        .sha256 = xstrdup_null(d->package->sha256),
        .checksum = xstrdup_null(d->package->checksum),
        .size = (int64_t)d->total,
    };
    d->pieced = false;
    sink_restart(d->sink, &d->facts);
}

/* Accepts a response only if its body belongs into the partial file. */
static int on_headers(struct http_request *request, unsigned status, void *userdata)
{
    struct download *d = userdata;
    const struct question q = {.from = d->asked_from,
                               .size = (uint64_t)d->package->size,
                               .etag = d->asked_from > 0 ? d->facts.etag : NULL};
    const struct answer a = {
        .status = status,
        .content_range = http_request_header(request, "Content-Range"),
        .content_length = http_request_header(request, "Content-Length"),
        .etag = http_request_header(request, "ETag"),
    };
    uint64_t size = 0;
    d->refusal = (struct error)ERROR_INIT;
    switch (answer_meaning(&q, &a, &size, &d->refusal)) {
    case ANSWER_CONTINUES:
        d->total = size;
        download_say(d, "downloading from %s, from byte %llu of %llu on", d->repository->name,
                     (unsigned long long)d->asked_from, (unsigned long long)size);
        return 0;
    case ANSWER_WHOLE:
        d->total = size;
        begin_whole(d, request);
        return 0;
    case ANSWER_COMPLETE:
        d->complete = true;
        break;
    case ANSWER_AGAIN:
        d->ask_again = true;
        break;
    case ANSWER_ERROR:
        d->retry_after = answer_retry_after(http_request_header(request, "Retry-After"));
        break;
    }
    return http_request_fail(request, ERROR_FAILED, ECANCELED, "the response is not accepted");
}

static int on_data(struct http_request *request, const void *data, size_t size, void *userdata)
{
    struct download *d = userdata;
    uint64_t position = sink_position(d->sink);
    if (d->total > 0 && size > d->total - position)
        return error_fail(&d->refusal, EBADMSG, "the server sends more than the %llu bytes of the package",
                          (unsigned long long)d->total);
    if (d->total == 0 && position + size > d->fetcher->settings.size_max)
        return error_fail(&d->refusal, EFBIG, "it is larger than %llu bytes ([fetcher] max_size)",
                          (unsigned long long)d->fetcher->settings.size_max);
    if (size > sink_room(d->sink))
        return error_retry(&d->refusal, ENOBUFS, "libcurl sends data in spite of a pause");
    sink_write(d->sink, data, size);
    if (sink_room(d->sink) < ROOM_MIN) {
        d->paused = true;
        http_request_pause(request);
    }
    download_progress(d);
    return 0;
}

void download_http_room(struct download *d)
{
    if (!d->request || !d->paused || sink_room(d->sink) < ROOM_MIN)
        return;
    d->paused = false;
    http_request_resume(d->request);
}

static void on_done(struct http_request *request, const struct http_result *result, void *userdata)
{
    (void)request;
    struct download *d = userdata;
    struct error e = d->refusal.errnum ? d->refusal : result->error;
    _cleanup_free_ char *url = repository_file_name(d->repository, d->file);
    d->request = NULL;
    if (d->ask_again) {
        download_start_over(d, e.message);
        if (d->state == DOWNLOAD_TRANSFERRING)
            download_start_http(d);
        return;
    }
    if (d->complete) {
        download_finish(d);
        return;
    }
    if (d->refusal.errnum)
        error_prefix(&e, "%s", url);
    if (e.errnum == EBADMSG) {
        download_wrong(d, &e);
    } else if (e.errnum == EFBIG) {
        download_fail(d, &e, true);
    } else if (e.errnum) {
        if (e.errnum == EPROTONOSUPPORT)
            error_fail(&e, EPROTO, "%s: a redirect from https to something else is not followed", url);
        if (e.class == ERROR_REFUSED)
            /* The error is not about the caller's request. */
            e.class = ERROR_FAILED;
        download_try_failed(d, &e, d->retry_after);
    } else if (d->total > 0 && sink_position(d->sink) < d->total) {
        error_retry(&e, ECONNRESET, "%s: the response ended at byte %llu of %llu", url,
                    (unsigned long long)sink_position(d->sink), (unsigned long long)d->total);
        download_try_failed(d, &e, 0);
    } else {
        download_finish(d);
    }
}

void download_start_http(struct download *d)
{
    struct error e = ERROR_INIT;
    struct http_client *client;
    struct http_ask ask;
    _cleanup_free_ char *url = repository_file_url(d->repository, d->file);
    d->asked_from = d->ask_whole ? 0 : sink_position(d->sink);
    d->ask_whole = d->ask_again = d->complete = false;
    d->retry_after = 0;
    d->refusal = (struct error)ERROR_INIT;
    fetcher_ask(d->fetcher, url, &ask);
    ask.range_from = d->asked_from;
    ask.if_range = facts_validator(&d->facts);
    ask.on_headers = on_headers;
    ask.on_data = on_data;
    ask.on_done = on_done;
    ask.userdata = d;
    download_say(d, "connecting to %s", d->repository->name);
    int r = fetcher_http(d->fetcher, &client, &e);
    if (r >= 0)
        r = http_request_start(client, &ask, &d->request, &e);
    if (r < 0)
        download_try_failed(d, &e, 0);
}
