/* Sends the calls of the gRPC client. */
#pragma once

#include <sys/types.h>

#include "lib/grpc/client.h"

struct grpc_connection;

/* Starts a call; the request is valid until on_done has returned or until it is cancelled. */
struct grpc_request *grpc_call_start(struct grpc_client *client, const struct grpc_ask *ask);
/* Ends it without on_done; the peer is told. NULL is fine. */
void grpc_request_cancel(struct grpc_request *request);

/* From within on_done: the answer's bytes (result->data) become the caller's, who frees. */
uint8_t *grpc_request_take_answer(struct grpc_request *request);

/* The hooks of a client's connections that concern streams. */
int request_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
void request_headers(void *stream, bool end);
ssize_t request_data(void *stream, const uint8_t *data, size_t size);
void request_end(void *stream);
void request_sent_end(void *stream);
void request_closed(void *stream, uint32_t code);
/* Sends it on a connection. */
void request_submit(struct grpc_request *q, struct grpc_connection *c);
/* It was not begun: sent once more, on another connection where this one is draining. */
void request_send_again(struct grpc_request *q);
/* Ends it because its connection, or the hope for one, is gone. */
void request_lost(struct grpc_request *q, const char *why);
