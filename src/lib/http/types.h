/* Declares what client.c (the multi handle on the event loop), request.c (one transfer), redirect.c and
 * failure.c share. */
#pragma once

#include <curl/curl.h>

#include "lib/http/client.h"
#include "lib/loop/timer.h"

struct http_client {
    sd_event *event;
    CURLM *multi;
    struct timer timer;
    sd_event_source *work; /* deferred: work that must not be done while libcurl runs */
    struct http_request *requests, *last_request; /* oldest first */
    bool in_curl; /* libcurl is on the stack: no handle may be added, removed or resumed */
    bool freeing;
    struct http_directory *directories;
};

/* A directory that is kept open so that a short path can name a socket in it. */
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
    bool follows;           /* redirects are followed */
    bool redirected;        /* the current connection's server was named by a redirect */
    bool proxies;           /* the environment's proxies are used */
    unsigned origin_places; /* where the first server is (place.h) */
    bool headers_announced;
    char *body;
    size_t body_size, body_room, max_body;
    uint64_t received;

    struct error error; /* the reason if hostlet ended the request itself; errnum 0 otherwise */
    bool added, cancelled, paused, resume_wanted;
};
