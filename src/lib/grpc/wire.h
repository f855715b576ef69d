/* Converts what gRPC writes into the headers of HTTP/2: statuses, deadlines, messages. */
#pragma once

#include "lib/basic/error.h"

enum grpc_status {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2, /* the status of all errors of the zone's handlers */
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_ALREADY_EXISTS = 6,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16,
    _GRPC_STATUS_MAX
};

/* Returns the name of a status: "UNAVAILABLE"; "UNKNOWN" for an undefined number. */
const char *grpc_status_name(int status);

/* Returns the status for an HTTP response that is not gRPC (usually of a proxy). */
int grpc_status_of_http(unsigned http_status);

/* Formats a grpc-timeout: at most 8 digits and a unit, rounded up. 'ret' has room for GRPC_TIMEOUT_SIZE
 * bytes. */
#define GRPC_TIMEOUT_SIZE 12
void grpc_timeout_format(uint64_t usec, char *ret);
/* Parses a grpc-timeout. Returns 0 or −EINVAL. */
int grpc_timeout_parse(const char *text, size_t size, uint64_t *ret_usec);

/* Encode and decode a grpc-message, which is percent-encoded UTF-8. The caller frees the result. Invalid
 * escapes are not changed, and bytes that are not UTF-8 become '?'. */
char *grpc_message_encode(const char *text);
char *grpc_message_decode(const char *text, size_t size);

/* Reports whether the bytes are UTF-8 (RFC 3629: no surrogates, no overlong sequences) without a NUL. With
 * 'mend' each invalid byte is replaced by '?', which keeps the length. */
bool utf8_check(uint8_t *data, size_t size, bool mend);
