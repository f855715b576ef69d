/* The HTTP server: libmicrohttpd on the event loop. A connection carries one request and has ten seconds
 * for all of it, half of them for its headers, so that a slow client occupies a place no longer than that.
 * An origin (an IPv4 address, an IPv6 /64) has few places. When all places are in use, a connection of an
 * origin with most of them is ended for a new one of an origin with fewer: see lib/peer/places.h. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"
#include "lib/peer/peer.h"

#define HTTP_DEADLINE_USEC       (10 * USEC_PER_SEC) /* from accept to the end of the response */
#define HTTP_HEADERS_USEC        (5 * USEC_PER_SEC)  /* from accept to the end of the headers */
#define HTTP_CONNECTIONS_MAX     128
#define HTTP_CONNECTIONS_OF_PEER 16
/* Includes the request line; a longer request gets status 431. */
#define HTTP_HEADERS_MAX ((size_t)16 << 10)
#define HTTP_RATE        50.0 /* connections per second of one address */
#define HTTP_BURST       200.0

struct http_server;
struct http_connection;
struct http_request;

/* Responds at once or later, exactly once, with http_answer(). A handler that responds later registers a
 * function with http_request_on_gone(), which is called when the deadline passes first. */
typedef void (*http_handler_fn)(struct http_request *request, void *userdata);

struct http_route {
    const char *path; /* the whole path */
    bool post;        /* POST; otherwise GET and HEAD */
    bool json;        /* the format of the server's own refusals: {"error":…}, or text */
    size_t body_max;
    http_handler_fn handler;
};

/* Receives the result of a request, for the metrics; status 0: the client got no response. */
typedef void (*http_observer_fn)(const char *path, unsigned status, uint64_t usec, void *userdata);

struct http_limits {
    unsigned of_peer;   /* connections of one origin; 0: HTTP_CONNECTIONS_OF_PEER */
    double rate, burst; /* connections per second of one address, and at once; 0: HTTP_RATE, HTTP_BURST */
    /* Connections per second that are accepted at all, and at once; 0: as many as arrive. */
    double accept_rate, accept_burst;
};

struct http_options {
    int listen_fd; /* borrowed until http_server_free() or http_server_move() */
    struct http_limits limits;
    /* Returns the origin of a connection; NULL: its address. */
    void (*identify)(int fd, struct peer *ret);
    const struct http_route *routes; /* ends with a NULL path */
    http_observer_fn on_done;
    void *userdata; /* for handlers and observer */
};

int http_server_new(sd_event *event, const struct http_options *options, struct http_server **ret,
                    struct error *e);
void http_server_free(struct http_server *server);
/* Accepts the connections that wait at the listening socket, within the limits, and serves another one from
 * now on. Returns 0, or a negative errno: then it still serves the present one. */
int http_server_move(struct http_server *server, int listen_fd, struct error *e);

struct http_counts {
    unsigned connections; /* open now */
    uint64_t accepted, refused_rate, refused_places, overdue;
};
const struct http_counts *http_server_counts(const struct http_server *server);

/* Makes the library run in the next iteration of the loop. With an external loop the library does not
 * notice by itself that a connection was resumed, and it must not run from one of its own callbacks. */
void http_run_soon(struct http_server *server);

/* Extends the deadline of a connection whose headers have arrived. */
void http_connection_begun(struct http_connection *connection);
