/* Implements wire.h. */
#include "lib/grpc/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const status_names[] = {
    [GRPC_OK] = "OK",
    [GRPC_CANCELLED] = "CANCELLED",
    [GRPC_UNKNOWN] = "UNKNOWN",
    [GRPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [GRPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [GRPC_NOT_FOUND] = "NOT_FOUND",
    [GRPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [GRPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [GRPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [GRPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [GRPC_ABORTED] = "ABORTED",
    [GRPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [GRPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [GRPC_INTERNAL] = "INTERNAL",
    [GRPC_UNAVAILABLE] = "UNAVAILABLE",
    [GRPC_DATA_LOSS] = "DATA_LOSS",
    [GRPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
};
_Static_assert(ARRAY_SIZE(status_names) == _GRPC_STATUS_MAX, "a status has no name");

const char *grpc_status_name(int status)
{
    return status_names[status >= 0 && status < _GRPC_STATUS_MAX ? status : GRPC_UNKNOWN];
}

int grpc_status_of_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

/* Finest first. This code counts in microseconds; peers may send nanoseconds. */
static const struct unit {
    char name;
    uint64_t usec;
} units[] = {{'u', 1},
             {'m', USEC_PER_MSEC},
             {'S', USEC_PER_SEC},
             {'M', 60 * USEC_PER_SEC},
             {'H', 3600 * USEC_PER_SEC}};
#define DIGITS_MAX UINT64_C(99999999)

void grpc_timeout_format(uint64_t usec, char *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        uint64_t n = usec / units[i].usec + (usec % units[i].usec != 0);
        if (n > DIGITS_MAX && i + 1 < ARRAY_SIZE(units))
            continue;
        snprintf(ret, GRPC_TIMEOUT_SIZE, "%u%c", (unsigned)(n > DIGITS_MAX ? DIGITS_MAX : n), units[i].name);
        return;
    }
}

int grpc_timeout_parse(const char *text, size_t size, uint64_t *ret_usec)
{
    uint64_t n = 0;
    if (size < 2 || size > 9)
        return -EINVAL;
    for (size_t i = 0; i + 1 < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    if (text[size - 1] == 'n') {
        *ret_usec = (n + 999) / 1000;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (units[i].name == text[size - 1]) {
            *ret_usec = n * units[i].usec; /* below 2^59: eight digits of hours */
            return 0;
        }
    return -EINVAL;
}

char *grpc_message_encode(const char *text)
{
    size_t size = strlen(text);
    char *out = xcalloc(3 * size + 1, 1), *at = out;
    uint8_t *copy = (uint8_t *)xstrdup(text);
    utf8_check(copy, size, true);
    for (size_t i = 0; i < size; i++)
        if (copy[i] >= 0x20 && copy[i] <= 0x7e && copy[i] != '%')
            *at++ = (char)copy[i];
        else
            at += snprintf(at, 4, "%%%02X", copy[i]);
    free(copy);
    return out;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

char *grpc_message_decode(const char *text, size_t size)
{
    char *out = xcalloc(size + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        int high = text[i] == '%' && i + 2 < size ? hex_digit(text[i + 1]) : -1,
            low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else
            out[n++] = text[i];
    }
    utf8_check((uint8_t *)out, n, true);
    return out;
}

/* Returns the length of the valid sequence at 'p', or 0 if there is none. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80                    ? 1
               : p[0] >= 0xc2 && p[0] <= 0xdf ? 2
               : p[0] >= 0xe0 && p[0] <= 0xef ? 3
               : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                              : 0;
    if (n == 0 || n > left || p[0] == 0)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* The second byte shows overlong sequences, surrogates and values beyond U+10FFFF. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool utf8_check(uint8_t *data, size_t size, bool mend)
{
    bool right = true;
    for (size_t i = 0; i < size;) {
        size_t n = utf8_sequence(data + i, size - i);
        if (n > 0) {
            i += n;
            continue;
        }
        right = false;
        if (!mend)
            return false;
        data[i++] = '?';
    }
    return right;
}
