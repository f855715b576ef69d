/* Sends the response of a call. */
#pragma once

#include "lib/grpc/server.h"

/* Sends one message; more may follow if the method streams. */
void grpc_call_send(struct grpc_call *call, const ProtobufCMessage *message);
/* Sends the only message and the status OK. */
void grpc_call_reply(struct grpc_call *call, const ProtobufCMessage *message);
/* Ends the call with a status; 'text' may be NULL. */
void grpc_call_finish(struct grpc_call *call, int status, const char *text);

/* Sends a response with an HTTP status to a request that is not gRPC. */
void call_respond_http(struct grpc_call *call, const char *status);
void call_sent_end(void *stream);
