/* A Varlink server on sd-event: listening sockets, connections, calls. Handlers receive parsed structs.
 *
 * A call lives until it was answered finally (varlink_reply, varlink_error, varlink_upgrade). A handler may
 * answer later: it keeps the pointer and registers varlink_call_on_gone(), which is called when the client
 * leaves first (the call is then no longer valid). Calls of one connection are handled one after the other.
 */
#pragma once

#include <systemd/sd-event.h>

#include "lib/varlink/interface.h"

struct varlink_server;
struct varlink_call;

/* Returns 0 when it answered or will, or a negative errno with 'e' filled, which is sent as the answer. */
typedef int (*varlink_handler_fn)(struct varlink_call *call, const void *in, void *userdata, struct error *e);

struct varlink_handlers {
    const char *method;
    varlink_handler_fn handler;
};

struct varlink_server_options {
    const struct varlink_interface *interface;
    const struct varlink_handlers *handlers; /* ends with a method of NULL */
    void *userdata;                          /* of the handlers */
    void *hooks_userdata;                    /* of the functions below */
    /* Of one user, so that none takes another's place; 0: 256. When he has as many, his connection that has
     * been idle for longest ends, or the new one waits. */
    unsigned connections_max;
    /* Whether this peer may call at all, asked when it connects: who may not is told so at once, and nothing
     * is read from him. NULL: everyone who can open the socket. */
    bool (*peer_allowed)(uid_t uid, gid_t gid, pid_t pid, void *userdata);
    /* Whether it may call this method (without the interface's name); NULL: every one. */
    bool (*method_allowed)(uid_t uid, const char *method, void *userdata);
    /* Called when the last connection ended. */
    void (*on_idle)(void *userdata);
    /* Answers every call with this error (the supervisor, in place of a service that is down); NULL:
     * handlers. */
    void (*answer_all)(struct error *e, void *userdata);
};

int varlink_server_new(sd_event *event, const struct varlink_server_options *options,
                       struct varlink_server **ret);
void varlink_server_free(struct varlink_server *server);

/* Accepts on a listening socket (borrowed: the caller closes it after varlink_server_free or _unlisten). */
int varlink_server_listen(struct varlink_server *server, int fd, struct error *e);
unsigned varlink_server_connections(const struct varlink_server *server);

/* The final answer; 'out' is the method's declared struct (NULL where it has no members). */
void varlink_reply(struct varlink_call *call, const void *out);
/* One answer of a stream; more follow. Only where the caller set 'more' (varlink_call_wants_more). */
void varlink_notify(struct varlink_call *call, const void *out);
/* The final answer is an error. */
void varlink_error(struct varlink_call *call, const struct error *e);
/* The final answer, after which the connection is the handler's: *ret_fd, blocking mode, owned by the caller.
 */
int varlink_upgrade(struct varlink_call *call, const void *out, int *ret_fd, struct error *e);

bool varlink_call_wants_more(const struct varlink_call *call);
/* The user who calls. */
uid_t varlink_call_uid(const struct varlink_call *call);
/* Unsent bytes of this call's connection: a producer that can wait does so above some bound. */
size_t varlink_call_pending(const struct varlink_call *call);
void varlink_call_on_gone(struct varlink_call *call,
                          void (*on_gone)(struct varlink_call *call, void *userdata), void *userdata);
