/* Performs one HTTP transfer: its options, its response's headers and body, its end; see request.h. */
#include "lib/http/request.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "lib/http/failure.h"
#include "lib/http/redirect.h"
#include "lib/http/types.h"

#define DEFAULT_CONNECT_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define DEFAULT_MAX_BODY             ((size_t)1024 * 1024)
#define MAX_HEADER_BYTES             ((size_t)128 * 1024)

void http_request_destroy(struct http_request *q)
{
    if (q->easy)
        curl_easy_cleanup(q->easy);
    curl_slist_free_all(q->headers_sent);
    for (size_t i = 0; i < q->n_headers; i++) {
        free(q->headers[i].name);
        free(q->headers[i].value);
    }
    free(q->headers);
    free(q->body_sent);
    free(q->body);
    free(q->url);
    free(q->method);
    free(q->unix_socket);
    free(q);
}

/* Returns a copy of the URL for messages, without the part between "//" and "@". */
static char *url_without_password(const char *url)
{
    const char *host = strstr(url, "://");
    if (!host)
        return xstrdup(url);
    host += 3;
    size_t authority = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', authority);
    return at ? xasprintf("%.*s%s", (int)(host - url), url, at + 1) : xstrdup(url);
}

static void forget_headers(struct http_request *q)
{
    for (size_t i = 0; i < q->n_headers; i++) {
        free(q->headers[i].name);
        free(q->headers[i].value);
    }
    q->n_headers = q->header_bytes = 0;
    q->headers_announced = false;
    q->status = 0;
}

static void store_header(struct http_request *q, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    if (!colon)
        return;
    const char *value = colon + 1, *end = line + n;
    while (value < end && isspace((unsigned char)*value))
        value++;
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    q->headers = xrealloc(q->headers, q->n_headers + 1, sizeof *q->headers);
    q->headers[q->n_headers++] = (struct http_header){
        .name = xstrndup(line, (size_t)(colon - line)),
        .value = xstrndup(value, (size_t)(end - value)),
    };
}

/* Ensures that a negative errno from a callback has a message. */
static bool callback_failed(struct http_request *q, int r)
{
    if (r >= 0)
        return false;
    if (!q->error.errnum)
        error_os(&q->error, -r, "%s %s: cancelled", q->method, q->url);
    return true;
}

/* Fails the request if its response is encoded. No request accepts an encoding, so the receiver would take
 * the encoded bytes for the content. */
static bool is_encoded(struct http_request *q)
{
    const char *encoding = http_request_header(q, "content-encoding");
    if (!encoding || !*encoding || strcasecmp(encoding, "identity") == 0 || q->status / 100 != 2)
        return false;
    http_request_fail(
        q, ERROR_FAILED, EBADMSG,
        "the response has 'Content-Encoding: %.40s', which the request did not ask for: let the "
        "server send the file unchanged",
        encoding);
    return true;
}

static bool announce_headers(struct http_request *q)
{
    if (q->headers_announced)
        return true;
    q->headers_announced = true;
    long status = 0;
    curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
    q->status = (unsigned)status;
    char *effective = NULL;
    if (curl_easy_getinfo(q->easy, CURLINFO_EFFECTIVE_URL, &effective) == CURLE_OK && effective) {
        free(q->url);
        q->url = url_without_password(effective);
    }
    if (is_encoded(q))
        return false;
    return !q->on_headers || !callback_failed(q, q->on_headers(q, q->status, q->userdata));
}

/* Reports whether the current response is a redirect that libcurl follows. */
static bool is_redirect(const struct http_request *q)
{
    long status = 0;
    curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
    bool redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return redirect && q->follows && http_request_header(q, "location");
}

/* Reports whether libcurl continues automatically after these headers: "100 Continue" or a redirect. */
static bool more_headers_follow(const struct http_request *q)
{
    long status = 0;
    curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
    return status < 200 || is_redirect(q);
}

/* Called by libcurl for each header line, including the status line; each response of a chain of redirects
 * starts again. The empty line after the headers announces them: a silent stream has no body yet. */
static size_t header_function(char *line, size_t size, size_t count, void *userdata)
{
    struct http_request *q = userdata;
    size_t n = size * count;
    if (q->cancelled)
        return 0;
    if (n > 5 && strncasecmp(line, "HTTP/", 5) == 0)
        forget_headers(q);
    q->header_bytes += n;
    if (q->header_bytes > MAX_HEADER_BYTES) {
        http_request_fail(q, ERROR_FAILED, EMSGSIZE, "the response's headers are larger than %zu bytes",
                          MAX_HEADER_BYTES);
        return 0;
    }
    store_header(q, line, n);
    bool end = n > 0 && (line[0] == '\r' || line[0] == '\n');
    if (end && !more_headers_follow(q) && (!announce_headers(q) || q->cancelled))
        return 0;
    q->redirected |= end && is_redirect(q);
    return n;
}

static int buffer_body(struct http_request *q, const char *data, size_t n)
{
    if (n > q->max_body - q->body_size)
        return http_request_fail(q, ERROR_FAILED, EMSGSIZE, "the response is larger than %zu bytes",
                                 q->max_body);
    if (q->body_size + n + 1 > q->body_room) {
        q->body_room = (q->body_size + n + 1) * 2;
        q->body = xrealloc(q->body, q->body_room, 1);
    }
    memcpy(q->body + q->body_size, data, n);
    q->body_size += n;
    q->body[q->body_size] = '\0';
    return 0;
}

/* Called by libcurl for data of the body. A return value other than the full size ends the transfer with
 * CURLE_WRITE_ERROR. */
static size_t write_function(char *data, size_t size, size_t count, void *userdata)
{
    struct http_request *q = userdata;
    size_t n = size * count;
    if (q->cancelled || !announce_headers(q) || q->cancelled)
        return n + 1;
    int r = q->on_data ? q->on_data(q, data, n, q->userdata) : buffer_body(q, data, n);
    if (callback_failed(q, r) || q->cancelled)
        return n + 1;
    q->received += n;
    if (q->paused && !q->resume_wanted)
        curl_easy_pause(q->easy, CURLPAUSE_RECV);
    return n;
}

static int set_headers(struct http_request *q, const struct http_ask *ask, struct error *e)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* disables waiting for "100 Continue" */
    for (const char *const *h = ask->headers; h && *h; h++) {
        if (strpbrk(*h, "\r\n")) {
            curl_slist_free_all(list);
            return error_refuse(e, EINVAL, "a header for %s contains a line break", q->url);
        }
        list = curl_slist_append(list, *h);
    }
    if (ask->range_from > 0 && ask->if_range) {
        _cleanup_free_ char *line = xasprintf("If-Range: %s", ask->if_range);
        list = curl_slist_append(list, line);
    }
    q->headers_sent = list;
    curl_easy_setopt(q->easy, CURLOPT_HTTPHEADER, list);
    return 0;
}

static void set_protocols(CURL *h, const struct http_ask *ask)
{
    bool secure = strncasecmp(ask->url, "https:", 6) == 0;
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
    curl_easy_setopt(h, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS,
                     (long)(secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Otherwise a cancelled DNS look-up blocks the loop for up to 10 s. */
    curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, ask->max_redirects > 0 ? 1L : 0L);
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, (long)ask->max_redirects);
}

static void set_method(struct http_request *q, const struct http_ask *ask)
{
    CURL *h = q->easy;
    if (streq(q->method, "HEAD"))
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    if (streq(q->method, "GET") || streq(q->method, "HEAD"))
        return;
    if (ask->body_size > 0 || streq(q->method, "POST") || streq(q->method, "PUT")) {
        q->body_sent = xcalloc(ask->body_size + 1, 1);
        if (ask->body_size > 0)
            memcpy(q->body_sent, ask->body, ask->body_size);
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body_size);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, q->body_sent);
    }
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, q->method);
    curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
}

static void set_limits(struct http_request *q, const struct http_ask *ask)
{
    CURL *h = q->easy;
    uint64_t connect_usec = ask->connect_timeout_usec ?: DEFAULT_CONNECT_TIMEOUT_USEC;
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_usec / USEC_PER_MSEC ?: 1));
    if (ask->total_timeout_usec)
        curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(ask->total_timeout_usec / USEC_PER_MSEC ?: 1));
    if (ask->low_speed_seconds) {
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, (long)(ask->low_speed_bytes ?: 1));
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)ask->low_speed_seconds);
    }
    if (ask->range_from > 0) {
        /* Not RESUME_FROM, with which libcurl treats a whole response (200) as an error. */
        char range[32];
        snprintf(range, sizeof range, "%llu-", (unsigned long long)ask->range_from);
        curl_easy_setopt(h, CURLOPT_RANGE, range);
    }
}

int http_request_setup(struct http_request *q, const struct http_ask *ask, struct error *e)
{
    q->url = url_without_password(ask->url);
    q->method = xstrdup(ask->method ?: "GET");
    q->unix_socket = xstrdup_null(ask->unix_socket);
    q->on_headers = ask->on_headers;
    q->on_data = ask->on_data;
    q->on_done = ask->on_done;
    q->userdata = ask->userdata;
    q->follows = ask->max_redirects > 0;
    q->max_body = ask->max_body ?: DEFAULT_MAX_BODY;
    q->body = xcalloc(1, 1);
    q->body_room = 1;
    CURL *h = q->easy = curl_easy_init();
    if (!h)
        return error_retry(e, ENOMEM, "cannot prepare %s %s: out of memory", q->method, q->url);
    if (curl_easy_setopt(h, CURLOPT_URL, ask->url) != CURLE_OK)
        return error_refuse(e, EINVAL, "'%s' is not a URL", q->url);
    curl_easy_setopt(h, CURLOPT_PRIVATE, q);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, q->curl_error);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "hostlet");
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, header_function);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, q);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, write_function);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, q);
    if (ask->unix_socket) {
        _cleanup_free_ char *path = NULL;
        int r = http_short_socket_path(q->client, ask->unix_socket, &path, e);
        if (r < 0)
            return r;
        curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, path);
    }
    if (ask->unix_socket || !ask->environment_proxy)
        /* An empty string means no proxy, also if the environment names one. */
        curl_easy_setopt(h, CURLOPT_PROXY, "");
    if (ask->ca_file)
        curl_easy_setopt(h, CURLOPT_CAINFO, ask->ca_file);
    if (ask->user) {
        curl_easy_setopt(h, CURLOPT_USERNAME, ask->user);
        curl_easy_setopt(h, CURLOPT_PASSWORD, ask->password ?: "");
    }
    curl_easy_setopt(h, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    http_guard_redirects(q, ask);
    set_protocols(h, ask);
    set_method(q, ask);
    set_limits(q, ask);
    return set_headers(q, ask, e);
}

void http_request_finish(struct http_request *q, CURLcode code, struct http_result *ret)
{
    if (code == CURLE_OK)
        (void)announce_headers(q); /* a response without a body */
    *ret = (struct http_result){
        .status = q->status, .body = q->body, .body_size = q->body_size, .received = q->received};
    if (q->error.errnum) {
        ret->error = q->error;
    } else if (code != CURLE_OK) {
        http_failure(q, code, &ret->error);
    }
    ret->r = -ret->error.errnum;
}

int http_request_fail(struct http_request *q, enum error_class class, int errnum, const char *fmt, ...)
{
    char text[sizeof q->error.message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return error_set(&q->error, class, errnum, "%s %s: %s", q->method, q->url, text);
}

void http_request_pause(struct http_request *q)
{
    q->paused = true;
    q->resume_wanted = false;
}

void http_request_resume(struct http_request *q)
{
    if (!q->paused)
        return;
    q->resume_wanted = true;
    http_client_defer(q->client);
}

const char *http_request_header(const struct http_request *q, const char *name)
{
    for (size_t i = 0; i < q->n_headers; i++)
        if (strcasecmp(q->headers[i].name, name) == 0)
            return q->headers[i].value;
    return NULL;
}
