/* Handles the calls of the gRPC server: creation and end, memory, headers and timeouts. */
#pragma once

#include <sys/types.h>

#include "lib/grpc/server.h"

/* Returns a header that the caller sent, or NULL; if it was sent several times, the first one. It is borrowed
 * from the call. */
const char *grpc_call_metadata(const struct grpc_call *call, const char *name);
const char *grpc_call_peer(const struct grpc_call *call);
void grpc_call_on_gone(struct grpc_call *call, void (*on_gone)(struct grpc_call *call, void *userdata),
                       void *userdata);

/* Counts memory of a call for its connection. Returns false if the connection must not hold more. */
bool call_hold(struct grpc_call *call, size_t bytes);
void call_give_back(struct grpc_call *call, size_t bytes);
/* Gives back the memory of a received message, which the shared budget also counts. */
void call_give_back_message(struct grpc_call *call, size_t room);
/* Counts the memory of the output again after a change. */
void call_recount_output(struct grpc_call *call);
void call_forget_request(struct grpc_call *call);
void call_forget_waiting(struct grpc_call *call);
/* Reports the end of a call with this status to the option 'observe'. */
void call_observe(const struct grpc_call *call, int status);
/* Arms the timer of a call for 'timeout_usec' (0: none) or, if it is earlier and the call is not answered,
 * its deadline. */
void call_arm(struct grpc_call *call, uint64_t timeout_usec);

/* Hooks of connections; the others are in call_message.h and call_answer.h. */
void call_begin(struct grpc_connection *c, int32_t stream);
int call_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
void call_headers(void *stream, bool end);
void call_closed(void *stream, uint32_t code);
/* Ends a stream that has no end, because the server is shutting down. */
void call_drain(struct grpc_call *call);
/* Frees a call whose connection ends. */
void call_drop(struct grpc_call *call);
