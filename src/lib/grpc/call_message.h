/* Receives the request of a call: its messages, and who has to wait with them. */
#pragma once

#include <sys/types.h>

#include "lib/grpc/server.h"

ssize_t call_data(void *stream, const uint8_t *data, size_t size);
void call_end(void *stream);
/* Its answers were taken: what waited for that goes on. */
void call_wake(struct grpc_call *call);
