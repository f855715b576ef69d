/* Any protobuf-c message as protobuf's own JSON, for comparison with the vectors: 64-bit integers as strings,
 * bytes as base64, unset members left out. */
#pragma once

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

json_t *proto_json(const ProtobufCMessage *message);
