/* Protobuf messages from the outside, bounded before anything is unpacked.
 *
 * protobuf-c unpacks without a limit of depth, checks no UTF-8, and makes 832 MiB of heap from 16 MiB of
 * empty sub-messages. So the raw bytes are walked by the descriptor first: what is too deep, takes too much
 * memory, is no UTF-8 or malformed is refused, by name. What goes out is mended: peers refuse a whole message
 * for one bad byte. */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/error.h"

#define GRPC_DEPTH_MAX 64

/* Walks a message; *ret_memory (may be NULL) is a bound of the heap that unpacking takes at any time. Refused
 * (−EBADMSG): malformed, too deep, bad text, a single sub-message given twice. Refused (−EMSGSIZE): more than
 * 'memory_max' bytes of heap. */
int grpc_message_scan(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t size,
                      size_t memory_max, size_t *ret_memory, struct error *e);

/* Scans and unpacks; the caller releases by grpc_message_free(). */
int grpc_message_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t size,
                        size_t memory_max, ProtobufCMessage **ret, struct error *e);
void grpc_message_free(void *message);

/* The bytes of a message behind 'prefix' unset bytes; in its strings, bytes that are no UTF-8 become '?'. The
 * caller frees. */
uint8_t *grpc_message_pack(const ProtobufCMessage *message, size_t prefix, size_t *ret_size);

/* Whether the bytes are a whole number of fields, whatever those are. */
bool grpc_message_is_whole(const uint8_t *data, size_t size);

/* One after the other, the occurrences of a length-delimited field (a string, bytes, a sub-message) of a
 * message that was scanned, or of whose form nothing is known: from *at on (0 at first), false when there is
 * no further one or the rest is malformed. */
bool grpc_message_next(const uint8_t *data, size_t size, uint32_t field, size_t *at, const uint8_t **ret,
                       size_t *ret_size);

#define _cleanup_message_ _cleanup_(grpc_message_cleanup)
static inline void grpc_message_cleanup(void *message)
{
    grpc_message_free(*(void **)message);
}
