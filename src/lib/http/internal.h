/* What client.c (the multi handle on the event loop) and request.c (one transfer) share. */
#pragma once

#include <curl/curl.h>

#include "lib/http/client.h"
#include "lib/loop/timer.h"

struct http_client {
    sd_event *event;
    CURLM *multi;
    struct timer timer;
    sd_event_source *work;                        /* deferred: what cannot be done while libcurl runs */
    struct http_request *requests, *last_request; /* oldest first */
    bool in_curl; /* libcurl is on the stack: handles must not be added, removed or resumed */
    bool freeing;
    struct http_directory *directories;
};

/* A directory kept open so that a socket in it can be named by a short path. */
struct http_directory {
    struct http_directory *next;
    char *path;
    int fd;
};

struct http_header {
    char *name, *value;
};

struct http_request {
    struct http_client *client;
    struct http_request *next, *previous;
    CURL *easy;
    struct curl_slist *headers_sent;
    char *body_sent;
    char *url; /* for messages: without user and password */
    char *method;
    char *unix_socket;
    char curl_error[CURL_ERROR_SIZE];

    http_headers_fn on_headers;
    http_data_fn on_data;
    http_done_fn on_done;
    void *userdata;
    uint64_t total_timeout_usec;

    unsigned status;
    struct http_header *headers;
    size_t n_headers, header_bytes;
    bool follows;           /* redirects */
    bool redirected;        /* what is connected to now is what a redirect named */
    bool proxies;           /* those of the environment count */
    unsigned origin_places; /* where the server that was asked first is (place.h) */
    bool headers_announced;
    char *body;
    size_t body_size, body_room, max_body;
    uint64_t received;

    struct error error; /* why we ended it ourselves; errnum 0 otherwise */
    bool added, cancelled, paused, resume_wanted;
};

/* request.c */
int http_request_setup(struct http_request *q, const struct http_ask *ask, struct error *e);
void http_request_destroy(struct http_request *q);
/* Announces headers that had no body behind them, and fills the result of a finished transfer. */
void http_request_finish(struct http_request *q, CURLcode code, struct http_result *ret);

/* redirect.c */
void http_guard_redirects(struct http_request *q, const struct http_ask *ask);

/* client.c: the work that was put off is done at the next turn of the loop. */
void http_client_defer(struct http_client *c);
/* A path of at most 107 bytes for a Unix socket, through /proc/self/fd where needed, stable for the client's
 * life (libcurl reuses connections by it). The caller frees. */
int http_short_socket_path(struct http_client *c, const char *path, char **ret, struct error *e);

/* failure.c: class, errno and words of a transfer that libcurl gave up. */
void http_failure(const struct http_request *q, CURLcode code, struct error *e);
