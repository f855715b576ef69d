/* Sends the answer of a call. */
#pragma once

#include "lib/grpc/server.h"

/* One message; more may follow where the method streams. */
void grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message);
/* The one message and OK. */
void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message);
/* The end, with a status; 'text' may be NULL. */
void grpc_call_finish(struct grpc_call *call, int status, const char *text);

/* For what is no gRPC at all. */
void call_respond_http(struct grpc_call *call, const char *status);
void call_sent_end(void *stream);
