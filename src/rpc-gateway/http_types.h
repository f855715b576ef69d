/* The types that http.c (connections) and http_request.c (requests) share. */
#pragma once

#include <microhttpd.h>

#include "lib/loop/timer.h"
#include "lib/peer/places.h"
#include "rpc-gateway/http.h"

/* A connection, from accept to close. */
struct http_connection {
    struct peer_place place; /* first, because a place is cast to its connection */
    struct http_server *server;
    struct http_request *request; /* NULL: its headers are not complete, or it has ended */
    struct peer peer;
    uint64_t created, deadline;
    int fd;
    bool ended; /* ended by the server; the library closes it in its next run */
};

struct http_server {
    struct http_options options;
    sd_event *event;
    struct MHD_Daemon *daemon;
    sd_event_source *listener, *io;
    struct timer run_timer, deadline_timer, accept_timer;
    const struct peer *accepting; /* of the connection that is passed to the library right now */
    struct peer_places places;
    struct http_request *requests;
    struct peer_rate rate;
    double runs; /* number of runs that are allowed at once */
    uint64_t ran;
    double accepts; /* connections that may be accepted at once */
    uint64_t accepts_at;
    struct http_counts counts;
};

struct http_request {
    struct http_server *server;
    struct http_request *next, *previous;
    struct MHD_Connection *connection;
    struct http_connection *place;
    const struct http_route *route; /* NULL: the path or the method is unknown */
    uint64_t started;
    char *body;
    size_t size, room;
    bool post, method_fits, dispatched, suspended;
    void (*on_gone)(void *pending);
    void *pending;
    struct MHD_Response *answer; /* complete, not queued yet */
    unsigned status;
};
