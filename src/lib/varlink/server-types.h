/* Declares the structs that server.c and dispatch.c share. */
#pragma once

#include <sys/socket.h>

#include "lib/loop/timer.h"
#include "lib/varlink/server.h"
#include "lib/varlink/stream.h"

struct varlink_call {
    struct connection *connection;
    const struct varlink_method *method;
    bool more, oneway;
    void (*on_gone)(struct varlink_call *call, void *userdata);
    void *on_gone_userdata;
};

/* Limit of a user's accepted connections that wait because he has reached connections_max. Further ones are
 * refused. */
#define WAITING_MAX 512

/* The connections and the memory that one user occupies. */
struct varlink_user {
    struct varlink_user *next;
    uid_t uid;
    unsigned n_connections;   /* served */
    int waiting[WAITING_MAX]; /* a ring of connections that are neither served nor read yet, oldest first */
    size_t first_waiting, n_waiting;
    struct stream_account account;
};

struct connection {
    struct varlink_server *server;
    struct varlink_user *user;
    struct connection *next, *previous;
    struct stream *stream;
    struct ucred peer;
    uint64_t idle_since;       /* monotonic time of the acceptance, the last call or the last final reply */
    struct varlink_call *call; /* the call without a final reply; NULL: none */
};

struct varlink_server {
    sd_event *event;
    struct varlink_server_options options;
    sd_event_source *listeners[4];
    size_t n_listeners;
    struct connection *connections;
    unsigned n_connections; /* served, of all users */
    struct varlink_user *users;
    struct timer serve_later;  /* serves waiting connections when a place is free */
    struct timer accept_later; /* accepts again after a shortage of descriptors */
    bool freeing;
};
