/* Handles the calls of the gRPC server: their life, what is held for them, their headers. */
#pragma once

#include <sys/types.h>

#include "lib/grpc/server.h"

/* A header that the caller sent, NULL when it did not; the first one of several. Valid as long as the call.
 */
const char *grpc_call_metadata(const struct grpc_call *call, const char *name);
const char *grpc_call_peer(const struct grpc_call *call);
void grpc_call_on_gone(struct grpc_call *call, void (*on_gone)(struct grpc_call *call, void *userdata),
                       void *userdata);

/* What is held for a call counts against its connection; false when that may not hold more. */
bool call_hold(struct grpc_call *call, size_t bytes);
void call_give_back(struct grpc_call *call, size_t bytes);
/* Of a message that came in, which takes part in the budget of all. */
void call_give_back_message(struct grpc_call *call, size_t room);
/* The output has changed. */
void call_recount_output(struct grpc_call *call);
void call_forget_request(struct grpc_call *call);
void call_forget_waiting(struct grpc_call *call);
/* It ends with this status. */
void call_observe(const struct grpc_call *call, int status);
/* Its timer, with its deadline while it is not answered; 0: that alone. */
void call_arm(struct grpc_call *call, uint64_t timeout_usec);

/* What connections call; more of it is in call_message.h and call_answer.h. */
void call_begin(struct grpc_connection *c, int32_t stream);
int call_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
void call_headers(void *stream, bool end);
void call_closed(void *stream, uint32_t code);
/* The server ends: what would not end by itself is ended. */
void call_drain(struct grpc_call *call);
/* Its connection is gone. */
void call_drop(struct grpc_call *call);
