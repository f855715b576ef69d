/* What server.c and dispatch.c share. */
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

/* Accepted ones of a user who has as many as he may; further ones are sent away. */
#define WAITING_MAX 512

/* What one user holds of the server. */
struct varlink_user {
    struct varlink_user *next;
    uid_t uid;
    unsigned n_connections;   /* served */
    int waiting[WAITING_MAX]; /* not served yet, nor read: in the order in which they came, in a ring */
    size_t first_waiting, n_waiting;
    struct stream_account account;
};

struct connection {
    struct varlink_server *server;
    struct varlink_user *user;
    struct connection *next, *previous;
    struct stream *stream;
    struct ucred peer;
    uint64_t idle_since;       /* monotonic: accepted, or answered last */
    struct varlink_call *call; /* the one that is not answered yet */
};

struct varlink_server {
    sd_event *event;
    struct varlink_server_options options;
    sd_event_source *listeners[4];
    size_t n_listeners;
    struct connection *connections;
    unsigned n_connections; /* served, of all users */
    struct varlink_user *users;
    struct timer serve_later;  /* those who wait, once a place is free */
    struct timer accept_later; /* after a shortage of descriptors */
    bool freeing;
};
