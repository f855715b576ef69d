/* nghttp2's side of a connection; for connection.c alone. */
#pragma once

#include "lib/grpc/connection.h"

#define GRPC_PING_ALIVE ((const uint8_t *)"hostlet?")
#define GRPC_PING_DRAIN ((const uint8_t *)"hostlet!")

int session_new(struct grpc_connection *c, const struct grpc_connection_options *options);
void session_free(struct grpc_connection *c);
/* GOAWAY with the last stream that was begun. */
void session_goaway(struct grpc_connection *c);
