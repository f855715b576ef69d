/* Converts between the contract's messages (protobuf-c) and the structs in which hostlet stores them
 * (declared with lib/schema).
 *
 * Both sides have descriptions, and their members have the same names: one walk over both descriptions
 * converts any message. A member that only one side has is omitted; the unit tests compare the two sides. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "lib/api/app.h"

/* Fills the zeroed struct '*ret'. Returns −ERANGE (refused), with a message that names the field, for a
 * 64-bit number beyond 2^63−1, which hostlet's JSON cannot represent. Metadata.version, with which nothing
 * is computed, becomes 2^63−1 instead. In a map, the last of several entries with one key counts. On
 * failure *ret is released and zero. */
int inapi_to_struct(const struct schema_struct *s, const ProtobufCMessage *message, void *ret,
                    struct error *e);

/* Returns a message made from a struct. A number that the field cannot represent becomes the nearest
 * possible one. Text is not checked: grpc_message_pack() corrects it. The caller releases the message with
 * protobuf_c_message_free_unpacked(). */
ProtobufCMessage *inapi_from_struct(const struct schema_struct *s,
                                    const ProtobufCMessageDescriptor *descriptor, const void *value);

/* Removes what a leader's response merely repeats: status and deploy.stages, which contain this host's own
 * reports. Instances are compared, stored and delivered without them. */
void inapi_drop_echo(struct app_instance *app);
