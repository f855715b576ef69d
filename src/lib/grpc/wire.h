/* What gRPC writes into HTTP/2's headers: statuses, deadlines, messages. */
#pragma once

#include "lib/basic/error.h"

enum grpc_status {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2, /* what handlers of the zone answer with, whatever went wrong */
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

/* "UNAVAILABLE"; for numbers that nobody defined "UNKNOWN". */
const char *grpc_status_name(int status);

/* The status that stands for an HTTP answer which is no gRPC (a proxy's, mostly). */
int grpc_status_of_http(unsigned http_status);

/* grpc-timeout: at most 8 digits and a unit. What is finer than the unit that is needed is rounded up; 'ret'
 * has room for GRPC_TIMEOUT_SIZE bytes. */
#define GRPC_TIMEOUT_SIZE 12
void grpc_timeout_format(uint64_t usec, char *ret);
/* 0, or −EINVAL. */
int grpc_timeout_parse(const char *text, size_t size, uint64_t *ret_usec);

/* grpc-message: UTF-8, percent-encoded. The caller frees; what is no escape stays as it is, what is no UTF-8
 * becomes '?'. */
char *grpc_message_encode(const char *text);
char *grpc_message_decode(const char *text, size_t size);

/* Whether these bytes are UTF-8 (RFC 3629: no surrogates, nothing overlong) without a NUL. With 'mend' each
 * byte that is not becomes
 * '?', so that the length stays. */
bool utf8_check(uint8_t *data, size_t size, bool mend);
