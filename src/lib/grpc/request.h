/* Sends the calls of the gRPC client. */
#pragma once

#include <sys/types.h>

#include "lib/grpc/client.h"

struct grpc_connection;

/* Starts a call. The returned request is valid until on_done has returned or it is cancelled. */
struct grpc_request *grpc_call_start(struct grpc_client *client, const struct grpc_ask *ask);
/* Ends a call without on_done, and resets its stream. 'request' may be NULL. */
void grpc_request_cancel(struct grpc_request *request);

/* Returns the bytes of the response (result->data), which the caller then owns and frees. Only for
 * on_done. */
uint8_t *grpc_request_take_answer(struct grpc_request *request);

/* the hooks of a client's connections for streams */
int request_header(void *stream, const char *name, size_t name_size, const char *value, size_t value_size);
void request_headers(void *stream, bool end);
ssize_t request_data(void *stream, const uint8_t *data, size_t size);
void request_end(void *stream);
void request_sent_end(void *stream);
void request_closed(void *stream, uint32_t code);
/* Sends a call on a connection. */
void request_submit(struct grpc_request *q, struct grpc_connection *c);
/* Moves a call that the server has not processed back to the waiting calls, to be sent once more. */
void request_send_again(struct grpc_request *q);
/* Ends a call because its connection was lost or could not be established. */
void request_lost(struct grpc_request *q, const char *why);
