/* The session of nghttp2 for a connection; only connection.c uses it. */
#pragma once

#include "lib/grpc/connection.h"

#define GRPC_PING_ALIVE ((const uint8_t *)"hostlet?")
#define GRPC_PING_DRAIN ((const uint8_t *)"hostlet!")

int session_new(struct grpc_connection *c, const struct grpc_connection_options *options);
void session_free(struct grpc_connection *c);
/* Sends GOAWAY with the last stream that the peer began. */
void session_goaway(struct grpc_connection *c);
