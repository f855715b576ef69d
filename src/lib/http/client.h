/* HTTP requests on an sd_event, by libcurl's multi interface: to Docker's Unix socket and to package
 * repositories.
 *
 * Nothing here blocks. A request ends in exactly one call of on_done, unless it is cancelled, after which
 * none of its callbacks is called any more. Callbacks may start, cancel and resume any request, their own
 * included; none is called from within http_request_start().
 *
 * A request that is not GET or HEAD gets a connection of its own: libcurl re-sends a POST by itself when a
 * reused connection closes before the answer, and a container must not be created twice. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

struct http_client;
struct http_request;

struct http_result {
    int r; /* 0: a whole answer was received, whatever its status; else a negative errno, with 'error' filled
            */
    unsigned status; /* of the last answer (after redirects); 0 when none came */
    const char
        *body; /* what was buffered (without on_data), with a NUL behind; never NULL; valid during on_done */
    size_t body_size;
    uint64_t received;  /* bytes of body received, handed to on_data or buffered */
    struct error error; /* classes: retry (the peer or the network), failed (what the peer says makes no sense
                         * to us, its certificate, too large an answer), refused (the request itself);
                         * ETIMEDOUT after a timeout */
};

/* The answer's status line and headers are complete (the last one's when redirects are followed). A negative
 * errno ends the request with that error: on_done gets it, with the message set by http_request_fail() if
 * there was one. */
typedef int (*http_headers_fn)(struct http_request *request, unsigned status, void *userdata);
/* Bytes of the body. A negative errno ends the request as above. */
typedef int (*http_data_fn)(struct http_request *request, const void *data, size_t size, void *userdata);
/* The end; 'request' is freed after the return. */
typedef void (*http_done_fn)(struct http_request *request, const struct http_result *result, void *userdata);

/* What to ask. All strings and the body are copied by http_request_start(). */
struct http_ask {
    const char *method; /* NULL: GET */
    const char *url;
    const char *unix_socket;    /* NULL: over the network */
    const char *const *headers; /* "Name: value", ended by NULL; may be NULL */
    const void *body;
    size_t body_size;

    uint64_t connect_timeout_usec; /* 0: 10 s */
    uint64_t total_timeout_usec;   /* 0: none: the caller bounds it in another way */
    unsigned low_speed_bytes;      /* ends when fewer bytes a second than this … */
    unsigned
        low_speed_seconds; /* … arrive during so long; 0: not watched (a quiet stream of events is healthy) */

    uint64_t
        range_from; /* > 0: asks for the bytes from there on; the answer is 206, or 200 with everything */
    const char *if_range; /* validator that the range depends on: an ETag or a date */

    const char *ca_file;    /* PEM; NULL: the system's */
    bool environment_proxy; /* http_proxy, https_proxy, no_proxy count; never with unix_socket */
    /* 0: an answer 3xx is handed to the caller. From https only https is followed, and to this machine's own
     * addresses or its link (place.h) only where the first server is there, too: judged by the address that
     * is connected to, not by its name. */
    unsigned max_redirects;
    const char *user,
        *password; /* for the first server alone, never for one that a redirect names; NULL: none */

    size_t max_body;            /* bound of the buffered body; 0: 1 MiB. Not applied with on_data */
    http_headers_fn on_headers; /* may be NULL */
    http_data_fn
        on_data; /* NULL: the body is buffered. Called for every answer: on_headers gets its status */
    http_done_fn on_done;
    void *userdata;
};

/* 'event' is referenced. The first client of a process initialises libcurl. */
int http_client_new(sd_event *event, struct http_client **ret, struct error *e);
/* Cancels what is under way. Never call it from within a callback. NULL is fine. */
void http_client_free(struct http_client *c);

/* Starts a request. It belongs to the client; *ret (may be NULL) is valid until on_done has returned or until
 * it is cancelled. Fails (refused) only for a URL or options that libcurl does not take. */
int http_request_start(struct http_client *c, const struct http_ask *ask, struct http_request **ret,
                       struct error *e);
/* Ends it without on_done. NULL is fine. */
void http_request_cancel(struct http_request *request);

/* Backpressure, with on_data alone: at most one more buffer of libcurl's (16 KiB) is kept meanwhile, the peer
 * waits. The total timeout goes on, the low speed is not watched. Pause is for callbacks of the same request.
 */
void http_request_pause(struct http_request *request);
void http_request_resume(struct http_request *request);

/* For callbacks: states why the negative errno that they return next ends the request. */
int http_request_fail(struct http_request *request, enum error_class class, int errnum, const char *fmt, ...)
    _printf_(4, 5);

/* Value of a header of the (last) answer, NULL when absent; the name in any case. The first one of several.
 */
const char *http_request_header(const struct http_request *request, const char *name);

/* Whether the host of a URL, as it is written, is another machine: neither "localhost" nor an address of this
 * one's loopback. */
bool http_url_is_far(const char *url);

DEFINE_CLEANUP(struct http_client *, http_client_free);
#define _cleanup_http_client_ _cleanup_(cleanup_http_client_free)
