/* Sends HTTP requests on an sd_event with libcurl's multi interface: to Docker's Unix socket and to
 * package repositories.
 *
 * Nothing here blocks. A request ends with exactly one call of on_done, unless it is cancelled: then none
 * of its callbacks is called any more. Callbacks may start, cancel and resume any request, including their
 * own; http_request_start() calls none.
 *
 * A request other than GET or HEAD gets a connection of its own: libcurl re-sends a POST automatically
 * when a reused connection closes before the response, and a container must not be created twice. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct http_client;
struct http_request;

struct http_result {
    /* 0: a complete response was received, whatever its status; else a negative errno, and 'error' is set. */
    int r;
    unsigned status; /* of the last response (after redirects); 0: none was received */
    /* The buffered body (without on_data) with a NUL after its end; never NULL; valid during on_done. */
    const char *body;
    size_t body_size;
    uint64_t received; /* bytes of body that were received and given to on_data or buffered */
    /* Classes: retry (a fault of the peer or the network), failed (an invalid or too large response, or
     * the peer's certificate), refused (the request itself). ETIMEDOUT after a timeout. */
    struct error error;
};

/* Called when the response's status line and headers are complete (the last response's if redirects are
 * followed). A negative return value ends the request with that errno: on_done receives it, with the
 * message that http_request_fail() set. */
typedef int (*http_headers_fn)(struct http_request *request, unsigned status, void *userdata);
/* Receives bytes of the body. A negative return value ends the request as above. */
typedef int (*http_data_fn)(struct http_request *request, const void *data, size_t size, void *userdata);
/* Called at the end of the request; 'request' is freed after it returns. */
typedef void (*http_done_fn)(struct http_request *request, const struct http_result *result, void *userdata);

/* Describes a request. http_request_start() copies all strings and the body. */
struct http_ask {
    const char *method; /* NULL: GET */
    const char *url;
    const char *unix_socket;    /* NULL: a network connection */
    const char *const *headers; /* "Name: value", terminated by NULL; may be NULL */
    const void *body;
    size_t body_size;

    uint64_t connect_timeout_usec; /* 0: 10 s */
    uint64_t total_timeout_usec;   /* 0: none; the caller limits the time in another way */
    /* The request fails when fewer than 'low_speed_bytes' bytes a second arrive during
     * 'low_speed_seconds'. 0 seconds: the speed is not checked (a stream of events is often silent). */
    unsigned low_speed_bytes;
    unsigned low_speed_seconds;

    /* Larger than 0: requests the bytes from this offset on. The response is 206, or 200 with the
     * whole body. */
    uint64_t range_from;
    const char *if_range; /* validator of the range: an ETag or a date */

    const char *ca_file; /* PEM; NULL: the system's certificates */
    /* Uses http_proxy, https_proxy and no_proxy; never with unix_socket. */
    bool environment_proxy;
    /* 0: the caller receives a 3xx response itself. From https only https is followed. A redirect to an
     * address of this machine is followed only if the first server has an address of this machine, and one
     * to a link-local address only if the first server has a link-local one (place.h). The address of the
     * connection decides, not its name; for a connection through a proxy, the host in the URL decides. */
    unsigned max_redirects;
    /* Sent to the first server only, never to one that a redirect names; NULL: none. */
    const char *user, *password;

    /* Limit of the buffered body in bytes; 0: 1 MiB. It does not apply with on_data. */
    size_t max_body;
    http_headers_fn on_headers; /* may be NULL */
    /* NULL: the body is buffered. Called for a response of any status, which on_headers receives. */
    http_data_fn on_data;
    http_done_fn on_done;
    void *userdata;
};

/* Creates a client with a reference to 'event'. The first client of a process initialises libcurl. */
int http_client_new(sd_event *event, struct http_client **ret, struct error *e);
/* Cancels all requests and frees the client; NULL is accepted. Callbacks must not call it. */
void http_client_free(struct http_client *c);

/* Starts a request, which the client owns. *ret (ret may be NULL) is valid until on_done has returned or
 * the request is cancelled. Fails (refused) only for a URL or options that libcurl does not accept. */
int http_request_start(struct http_client *c, const struct http_ask *ask, struct http_request **ret,
                       struct error *e);
/* Ends a request without a call of on_done. NULL is accepted. */
void http_request_cancel(struct http_request *request);

/* Does the deferred work in the next iteration of the event loop. */
void http_client_defer(struct http_client *c);
/* Returns a path of at most 107 bytes for a Unix socket, through /proc/self/fd if necessary. It stays the
 * same while the client exists (libcurl identifies connections by it). The caller frees *ret. */
int http_short_socket_path(struct http_client *c, const char *path, char **ret, struct error *e);

DEFINE_CLEANUP(struct http_client *, http_client_free);
#define _cleanup_http_client_ _cleanup_(cleanup_http_client_free)
