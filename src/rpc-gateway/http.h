/* The HTTP server: libmicrohttpd on the event loop. A connection carries one request and has ten seconds for
 * all of it, half of them for its headers, so that whoever is slow, on purpose or not, holds a place for that
 * long. An origin (an IPv4 address, an IPv6 /64) has few of these places, and when all are taken those that
 * have most give way to those that have fewer: see lib/peer/places.h. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"
#include "lib/peer/peer.h"

#define HTTP_DEADLINE_USEC       (10 * USEC_PER_SEC) /* from accept to the end of the answer */
#define HTTP_HEADERS_USEC        (5 * USEC_PER_SEC)  /* from accept to the end of the headers */
#define HTTP_CONNECTIONS_MAX     128
#define HTTP_CONNECTIONS_OF_PEER 16
#define HTTP_HEADERS_MAX         ((size_t)16 << 10) /* with the request line; more is answered with 431 */
#define HTTP_RATE                50.0               /* connections a second of one address */
#define HTTP_BURST               200.0

struct http_server;
struct http_connection;
struct http_request;

/* Answers now or later, once, by http_answer(); or, when it cannot for longer than the deadline, is called
 * off by the function that it registered with http_request_on_gone(). */
typedef void (*http_handler_fn)(struct http_request *request, void *userdata);

struct http_route {
    const char *path; /* exactly */
    bool post;        /* POST, or GET and HEAD */
    bool json;        /* how refusals of the server itself are worded: {"error":…}, or as text */
    size_t body_max;
    http_handler_fn handler;
};

/* What became of a request, for the metrics. */
typedef void (*http_observer_fn)(const char *path, unsigned status, uint64_t usec, void *userdata);

struct http_options {
    int listen_fd;                   /* borrowed until http_server_free() */
    const struct http_route *routes; /* ends with a path of NULL */
    http_observer_fn on_done;
    void *userdata; /* of handlers and observer */
};

int http_server_new(sd_event *event, const struct http_options *options, struct http_server **ret,
                    struct error *e);
void http_server_free(struct http_server *server);

struct http_counts {
    unsigned connections; /* open now */
    uint64_t accepted, refused_rate, refused_places, overdue;
};
const struct http_counts *http_server_counts(const struct http_server *server);

/* With an external loop nothing wakes the library for a connection that was resumed: we do, but not from
 * within a callback of its. */
void http_run_soon(struct http_server *server);

/* The headers of a connection's request are here: it has the rest of its time. */
void http_connection_begun(struct http_connection *connection);
