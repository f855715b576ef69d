/* What server.c and dispatch.c share. */
#pragma once

#include <sys/socket.h>

#include "lib/varlink/server.h"
#include "lib/varlink/stream.h"

struct varlink_call {
    struct connection *connection;
    const struct varlink_method *method;
    bool more, oneway;
    void (*on_gone)(struct varlink_call *call, void *userdata);
    void *on_gone_userdata;
};

struct connection {
    struct varlink_server *server;
    struct connection *next, *previous;
    struct stream *stream;
    struct ucred peer;
    bool allowed;
    struct varlink_call *call; /* the one that is not answered yet */
};

struct varlink_server {
    sd_event *event;
    struct varlink_server_options options;
    sd_event_source *listeners[4];
    size_t n_listeners;
    struct connection *connections;
    unsigned n_connections;
    bool paused, freeing;
};

int connection_message(struct stream *stream, json_t *message, void *userdata);
