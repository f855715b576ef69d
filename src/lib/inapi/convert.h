/* Between the contract's messages as they travel (protobuf-c) and as we keep them (structs declared with
 * lib/schema).
 *
 * Both sides are described, and their members have the same names: one walk over both descriptions converts
 * any of them. A member that only one side has is left out; the unit tests hold the two against each other.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "lib/api/app.h"

/* Fills the zeroed struct '*ret'. Refused, naming the field: a 64-bit number beyond 2^63−1, which no JSON of
 * ours can carry; but Metadata.version, which nobody counts with, becomes 2^63−1. Maps: the last of several
 * entries with one key counts. On failure *ret is released and zero. */
int inapi_to_struct(const struct schema_struct *s, const ProtobufCMessage *message, void *ret,
                    struct error *e);

/* The message of a struct; numbers that the field cannot hold become the nearest that it can. Text is taken
 * as it is: grpc_message_pack() mends it. The caller releases by protobuf_c_message_free_unpacked(). */
ProtobufCMessage *inapi_from_struct(const struct schema_struct *s,
                                    const ProtobufCMessageDescriptor *descriptor, const void *value);

/* Takes away what a leader's answer merely echoes: status, and deploy.stages, which hold our own reports.
 * Instances are compared, kept and delivered without them. */
void inapi_drop_echo(struct app_instance *app);
