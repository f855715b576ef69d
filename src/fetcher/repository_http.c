/* Implements repository_http.h: requests the index conditionally, and parses and caches it in a thread. A
 * request that fails with ERROR_RETRY is repeated with backoff while a call waits and attempts are left. */
#include "fetcher/repository_http.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "fetcher/answer.h"
#include "fetcher/facts.h"
#include "fetcher/index_cache.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/http/request.h"

#define INDEX_TIMEOUT_USEC (5 * 60 * USEC_PER_SEC)

/* One response, which a thread parses and caches. */
struct http_load {
    struct repository_load load; /* the first member */
    int state_fd;
    char *cache, *url; /* the name of the cache file, and the URL that it contains */
    char *etag, *last_modified;
    /* The thread reads the index from the cache. Otherwise 'text' is the received index. */
    bool cached;
    char *text;
    size_t size;
    struct package_index *index;
    struct error error, cache_error;
};

static void try_now(struct repository *r);

static void fail(struct repository *r, struct error *e)
{
    error_prefix(e, "repository %s", r->name);
    if (e->class == ERROR_REFUSED || e->class == ERROR_NOT_FOUND)
        /* The class would describe the caller's request, which is not at fault. */
        e->class = ERROR_FAILED;
    repository_loaded(r, NULL, e);
}

static void on_pause_over(void *userdata)
{
    struct repository *r = userdata;
    try_now(r);
}

/* Plans a retry if the error may pass and a call waits, otherwise fails the load. */
static void fail_or_retry(struct repository *r, struct error *e, unsigned at_least_seconds)
{
    uint64_t pause = e->class == ERROR_RETRY && r->waits ? fetcher_next_pause(r->fetcher, &r->retry) : 0;
    if (pause > 0 && at_least_seconds * USEC_PER_SEC > pause)
        pause = at_least_seconds * USEC_PER_SEC;
    if (pause > 0) {
        timer_arm(&r->pause, r->fetcher->event, pause, on_pause_over, r);
        log_debug("repository %s: %s; trying again in %llu ms", r->name, e->message,
                  (unsigned long long)(pause / USEC_PER_MSEC));
        return;
    }
    if (r->retry.failures > 1) {
        _cleanup_free_ char *text = xasprintf("%s; tried %u times", e->message, r->retry.failures);
        error_set(e, e->class, e->errnum, "%s", text);
    }
    fail(r, e);
}

static void load_run(struct work *work)
{
    struct http_load *load = (struct http_load *)work;
    int r = load->cached
                ? index_cache_read(load->state_fd, load->cache, &load->text, &load->size, &load->error)
                : 0;
    if (r >= 0)
        r = package_index_parse(load->text, load->size, &load->index, &load->error);
    if (r >= 0)
        r = index_check(load->index, &load->error);
    if (r < 0) {
        package_index_free(load->index);
        load->index = NULL;
        unlinkat(load->state_fd, load->cache, 0);
        return;
    }
    /* A failed write of the cache is logged and otherwise ignored. */
    if (!load->cached && (load->etag || load->last_modified) &&
        index_cache_write(load->state_fd, load->cache, load->url, load->etag, load->last_modified, load->text,
                          load->size, &load->cache_error) < 0)
        unlinkat(load->state_fd, load->cache, 0);
    if (!load->cached)
        (void)failpoint("index.cached");
}

static void forget_validators(struct repository *r)
{
    free(r->etag);
    free(r->last_modified);
    r->etag = r->last_modified = NULL;
}

static void load_loaded(struct http_load *load, struct repository *r)
{
    r->load = NULL;
    if (load->cache_error.errnum)
        log_warning("the index of repository %s is not cached: %s", r->name, load->cache_error.message);
    package_index_free(r->index);
    r->index = TAKE_PTR(load->index);
    forget_validators(r);
    free(load->text);
    load->text = NULL;
    /* The text and its JSON may have been large. */
    malloc_trim(0);
    if (r->index) {
        r->etag = TAKE_PTR(load->etag);
        r->last_modified = TAKE_PTR(load->last_modified);
        repository_loaded(r, r->index, NULL);
    } else if (load->cached) {
        log_warning("repository %s: its cached index cannot be used: %s", r->name, load->error.message);
        try_now(r);
    } else {
        fail(r, &load->error);
    }
}

static void load_free(struct work *work)
{
    struct http_load *load = (struct http_load *)work;
    package_index_free(load->index);
    close_fd(load->state_fd);
    free(load->cache);
    free(load->url);
    free(load->etag);
    free(load->last_modified);
    free(load->text);
    free(load);
}

static void load_done(struct work *work)
{
    struct http_load *load = (struct http_load *)work;
    if (load->load.repository)
        load_loaded(load, load->load.repository);
    load_free(work);
}

/* Starts the parsing of the received index; 'body' NULL: of the cached index. */
static void parse(struct repository *r, struct http_request *request, const char *body, size_t size)
{
    struct http_load *load = xcalloc(1, sizeof *load);
    load->state_fd = fcntl(r->fetcher->store.state_fd, F_DUPFD_CLOEXEC, 3);
    load->cache = index_cache_name(r);
    load->url = xstrdup(r->name);
    load->cached = !body;
    if (body) {
        load->text = xcalloc(size + 1, 1);
        memcpy(load->text, body, size);
        load->size = size;
        load->etag = strong_etag(http_request_header(request, "ETag"));
        load->last_modified = plain_date(http_request_header(request, "Last-Modified"));
    } else {
        load->etag = xstrdup_null(r->etag);
        load->last_modified = xstrdup_null(r->last_modified);
    }
    load->load.work = (struct work){.run = load_run, .done = load_done, .drop = load_free};
    load->load.repository = r;
    r->load = &load->load;
    workers_add(r->fetcher->workers, &load->load.work);
}

static void on_done(struct http_request *request, const struct http_result *result, void *userdata)
{
    struct repository *r = userdata;
    struct error e = result->error;
    r->request = NULL;
    if (result->r < 0) {
        fail_or_retry(r, &e, 0);
    } else if (result->status == 200) {
        parse(r, request, result->body, result->body_size);
    } else if (result->status == 304 && r->index) {
        repository_loaded(r, r->index, NULL);
    } else if (result->status == 304 && (r->etag || r->last_modified)) {
        parse(r, request, NULL, 0);
    } else {
        if (answer_status_error(result->status, &e) == 0)
            error_fail(&e, EPROTO, "unexpected response (status %u)", result->status);
        error_prefix(&e, "index.json");
        fail_or_retry(r, &e, answer_retry_after(http_request_header(request, "Retry-After")));
    }
}

static void try_now(struct repository *r)
{
    struct error e = ERROR_INIT;
    struct http_client *client;
    if (!r->index && !r->cache_known) {
        r->cache_known = true;
        index_cache_validators(r, &r->etag, &r->last_modified);
    }
    _cleanup_free_ char *url = repository_file_url(r, "index.json");
    _cleanup_free_ char *match = r->etag ? xasprintf("If-None-Match: %s", r->etag) : NULL;
    _cleanup_free_ char *since =
        r->last_modified ? xasprintf("If-Modified-Since: %s", r->last_modified) : NULL;
    const char *headers[3] = {match ?: since, match ? since : NULL, NULL};
    struct http_ask ask;
    fetcher_ask(r->fetcher, url, &ask);
    ask.headers = headers;
    uint64_t timeout = r->fetcher->settings.transfer_timeout_usec;
    ask.total_timeout_usec = timeout < INDEX_TIMEOUT_USEC ? timeout : INDEX_TIMEOUT_USEC;
    ask.max_body = PACKAGE_INDEX_MAX;
    ask.on_done = on_done;
    ask.userdata = r;
    int x = fetcher_http(r->fetcher, &client, &e);
    if (x >= 0)
        x = http_request_start(client, &ask, &r->request, &e);
    if (x < 0)
        fail(r, &e);
}

void repository_load_http(struct repository *r)
{
    r->retry.failures = 0;
    /* The request starts in the loop, so that repository_load() never calls back before it returns. */
    timer_arm(&r->pause, r->fetcher->event, 0, on_pause_over, r);
}
