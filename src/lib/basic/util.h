/* The few helpers that every file wants: array sizes, string comparison, formatted allocation, time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define _printf_(f, a) __attribute__((format(printf, f, a)))

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Equal as strings, NULL being equal to NULL alone. */
static inline bool streq_null(const char *a, const char *b)
{
    return a == b || (a && b && streq(a, b));
}

/* Rest of 's' after 'prefix', or NULL when it does not begin with it. */
const char *after_prefix(const char *s, const char *prefix);

bool has_suffix(const char *s, const char *suffix);

/* asprintf that aborts when memory is out: these processes are small, restarted by their supervisor, and a
 * half-handled allocation failure is worse than a clean death. The caller frees. */
char *xasprintf(const char *fmt, ...) _printf_(1, 2);
char *xstrdup(const char *s);
char *xstrdup_null(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);

/* Parses a decimal number that fills the whole string and lies in [min, max]: 0, or −EINVAL/−ERANGE. */
int parse_int64(const char *s, int64_t min, int64_t max, int64_t *ret);

/* CLOCK_MONOTONIC and CLOCK_REALTIME in microseconds; the latter also in milliseconds. */
uint64_t now_monotonic_usec(void);
uint64_t now_realtime_usec(void);
int64_t now_realtime_msec(void);

/* n random bytes from the kernel; aborts if it has none. */
void random_bytes(void *p, size_t n);
/* n random bytes as 2n lower-case hex digits with a final NUL, in 'ret'. */
void random_hex(char *ret, size_t n);
/* A UUID of version 4 (RFC 9562: 122 random bits), in 'ret'. */
#define UUID_SIZE 37
void random_uuid(char ret[UUID_SIZE]);
/* 16 bytes in a UUID's form. */
void uuid_format(const uint8_t bytes[16], char ret[UUID_SIZE]);
void bytes_to_hex(const uint8_t *bytes, size_t n, char *ret);

void set_string(char **to, const char *value); /* frees what it was, copies; NULL: none */
