/* Receives the request of a call: its messages, and the flow control of streams. */
#pragma once

#include <sys/types.h>

#include "lib/grpc/server.h"

ssize_t call_data(void *stream, const uint8_t *data, size_t size);
void call_end(void *stream);
/* Continues with a request that waited until its responses were read. */
void call_wake(struct grpc_call *call);
