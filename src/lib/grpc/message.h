/* Unpacks protobuf messages of untrusted peers within limits, and packs messages.
 *
 * protobuf-c unpacks to any depth, does not check UTF-8, and allocates 832 MiB for 16 MiB of empty
 * sub-messages. Therefore the raw bytes are scanned with the descriptor first. A message that is nested too
 * deeply, needs too much memory, is malformed or contains text that is not UTF-8 is refused with an error
 * that names the field. In sent messages invalid text is corrected, because peers refuse a whole message for
 * one bad byte. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

#define GRPC_DEPTH_MAX 64

/* Scans a message. *ret_memory (may be NULL) is an upper limit of the heap that unpacking needs. Returns 0,
 * −EBADMSG (refused) if the message is malformed, nested too deeply, has invalid text or a single sub-message
 * twice, or −EMSGSIZE (refused) if it needs more than 'memory_max' bytes of heap. */
int grpc_message_scan(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t size,
                      size_t memory_max, size_t *ret_memory, struct error *e);

/* Scans and unpacks a message; the caller releases it by grpc_message_free(). Returns 0 or a negative errno
 * (refused). */
int grpc_message_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t size,
                        size_t memory_max, ProtobufCMessage **ret, struct error *e);
void grpc_message_free(void *message);

/* Returns the bytes of a message after 'prefix' uninitialized bytes. In its strings, bytes that are not UTF-8
 * are replaced by '?'. The caller frees it. */
uint8_t *grpc_message_pack(const ProtobufCMessage *message, size_t prefix, size_t *ret_size);

/* Reports whether the bytes are complete fields, of any kind. */
bool grpc_message_is_whole(const uint8_t *data, size_t size);

/* Finds the next occurrence of a length-delimited field (a string, bytes, a sub-message) from *at on, which
 * is 0 at first. The message need not be scanned. Returns false if there is no further occurrence or the rest
 * is malformed. *ret is borrowed from 'data'. */
bool grpc_message_next(const uint8_t *data, size_t size, uint32_t field, size_t *at, const uint8_t **ret,
                       size_t *ret_size);

/* Returns the last value of a field that is a variable-length integer, or 0 if there is none before the end
 * or the first malformed field. The message need not be scanned. */
uint64_t grpc_message_number(const uint8_t *data, size_t size, uint32_t field);

#define _cleanup_message_ _cleanup_(grpc_message_cleanup)
static inline void grpc_message_cleanup(void *message)
{
    grpc_message_free(*(void **)message);
}
