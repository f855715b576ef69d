/* What http.c (connections) and http_request.c (requests) share. */
#pragma once

#include <microhttpd.h>

#include "lib/loop/timer.h"
#include "lib/peer/places.h"
#include "rpc-gateway/http.h"

/* From accept to close. */
struct http_connection {
    struct peer_place place; /* first: a place is its connection */
    struct http_server *server;
    struct http_request *request; /* NULL: its headers are not all here, or it is over */
    uint64_t created, deadline;
    int fd;
    bool ended; /* by us: the library is about to notice */
};

struct http_server {
    struct http_options options;
    sd_event *event;
    struct MHD_Daemon *daemon;
    sd_event_source *listener, *io;
    struct timer run_timer, deadline_timer;
    struct peer_places places;
    struct http_request *requests;
    struct peer_rate rate;
    double runs; /* that may follow at once */
    uint64_t ran;
    struct http_counts counts;
};

struct http_request {
    struct http_server *server;
    struct http_request *next, *previous;
    struct MHD_Connection *connection;
    struct http_connection *place;
    const struct http_route *route; /* NULL: none fits */
    uint64_t started;
    struct peer peer;
    char *body;
    size_t size, room;
    bool post, method_fits, dispatched, suspended;
    void (*on_gone)(void *pending);
    void *pending;
    struct MHD_Response *answer; /* ready to be queued */
    unsigned status;
};

/* The callbacks of libmicrohttpd that concern requests; their first argument is the server. */
enum MHD_Result http_on_request(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data, size_t *data_size,
                                void **request);
void http_on_completed(void *server, struct MHD_Connection *connection, void **request,
                       enum MHD_RequestTerminationCode how);

/* With an external loop nothing wakes the library for a connection that was resumed: we do, but not from
 * within a callback of its. */
void http_run_soon(struct http_server *server);

/* The headers of a connection's request are here: it has the rest of its time. */
void http_connection_begun(struct http_connection *connection);

/* Tells those who still work on a request that nobody waits, and lets it end. */
void http_request_abandon(struct http_request *request);
