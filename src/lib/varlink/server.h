/* Implements a Varlink server on sd-event: listening sockets, connections and calls. Handlers receive parsed
 * structs.
 *
 * A call is valid until its final reply (varlink_reply, varlink_error or varlink_upgrade). A handler may
 * reply later: it keeps the pointer and registers a function with varlink_call_on_gone(), which the server
 * calls when the client hangs up before (the call is then no longer valid). The server handles the calls of
 * one connection one after the other. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/varlink/interface.h"

struct varlink_server;
struct varlink_call;

/* Handles a call with the parsed parameters 'in' (borrowed). Returns 0 when it has replied or will reply, or
 * a negative errno with 'e' filled, which the server sends as the reply. */
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
    /* Limit of each user's connections; 0: 256. When a user has reached it, the server ends his longest idle
     * connection, or a new one waits. */
    unsigned connections_max;
    /* Reports whether a peer may call at all. The server asks when the peer connects; a refused peer receives
     * the error at once, and the server reads nothing from it. NULL: every peer that can open the socket may
     * call. */
    bool (*peer_allowed)(uid_t uid, gid_t gid, pid_t pid, void *userdata);
    /* Reports whether a user may call a method (without the interface's name); NULL: every method. */
    bool (*method_allowed)(uid_t uid, const char *method, void *userdata);
    /* Is called when the last connection has ended; may be NULL. */
    void (*on_idle)(void *userdata);
    /* Fills 'e' with the error that the server sends in reply to every call. The supervisor uses it in place
     * of a service that is down. NULL: the handlers reply. */
    void (*answer_all)(struct error *e, void *userdata);
};

/* Creates a server; copies 'options'. Returns 0 or a negative errno. */
int varlink_server_new(sd_event *event, const struct varlink_server_options *options,
                       struct varlink_server **ret);
void varlink_server_free(struct varlink_server *server);

/* Accepts connections on a listening socket. The socket is borrowed: the caller closes it after
 * varlink_server_free(). */
int varlink_server_listen(struct varlink_server *server, int fd, struct error *e);
/* Accepts the connections that wait at the server's sockets, then listens on 'fd' (borrowed) in place of
 * them. The old sockets can be closed afterwards; on failure they are listened on as before. */
int varlink_server_move(struct varlink_server *server, int fd, struct error *e);
/* Returns the number of connections that are served. */
unsigned varlink_server_connections(const struct varlink_server *server);

/* Sends the final reply and frees the call. 'out' is the method's declared struct (borrowed; NULL when it has
 * no members). */
void varlink_reply(struct varlink_call *call, const void *out);
/* Sends one reply of a stream; more follow. Allowed only when the caller set 'more'
 * (varlink_call_wants_more()). */
void varlink_notify(struct varlink_call *call, const void *out);
/* Sends an error as the final reply and frees the call. */
void varlink_error(struct varlink_call *call, const struct error *e);
/* Sends the final reply and hands the connection over: *ret_fd, in blocking mode, which the caller closes.
 * Returns 0, or a negative errno when the connection has unsent data or has ended; the server then closes it.
 * The call is no longer the handler's in either case. */
int varlink_upgrade(struct varlink_call *call, const void *out, int *ret_fd, struct error *e);

/* Reports whether the caller set 'more'. */
bool varlink_call_wants_more(const struct varlink_call *call);
/* Returns the uid of the caller. */
uid_t varlink_call_uid(const struct varlink_call *call);
/* Returns the number of unsent bytes of the call's connection. A producer that can wait does so above a limit
 * of its own. */
size_t varlink_call_pending(const struct varlink_call *call);
/* Registers the function that the server calls when the client hangs up before the final reply; NULL: none.
 */
void varlink_call_on_gone(struct varlink_call *call,
                          void (*on_gone)(struct varlink_call *call, void *userdata), void *userdata);
