/* Declares helpers that every file uses: array sizes, string comparison, formatted allocation, time. */
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

/* Reports whether two strings are equal; NULL equals only NULL. */
static inline bool streq_null(const char *a, const char *b)
{
    return a == b || (a && b && streq(a, b));
}

/* Returns the rest of 's' after 'prefix', or NULL if 's' does not begin with it. */
const char *after_prefix(const char *s, const char *prefix);

bool has_suffix(const char *s, const char *suffix);

/* Skips a byte order mark, which some editors write at the beginning of a UTF-8 file. */
void skip_byte_order_mark(const char **text, size_t *size);

/* Formats like asprintf() and aborts if memory is exhausted: these processes are small and their
 * supervisor restarts them, and a half-handled allocation failure is worse than an abort. The caller frees
 * the result. The same holds for the functions below. */
char *xasprintf(const char *fmt, ...) _printf_(1, 2);
char *xstrdup(const char *s);
char *xstrdup_null(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);

/* Returns a number of bytes as text for people, such as "1.5 MiB". The caller frees it. */
char *format_size(int64_t bytes);

/* Parses a decimal number that fills the whole string and is in [min, max]. Returns 0, −EINVAL or −ERANGE. */
int parse_int64(const char *s, int64_t min, int64_t max, int64_t *ret);

/* Return CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME in microseconds, the latter also in milliseconds.
 * Durations and deadlines are monotonic; CLOCK_BOOTTIME also counts the time of a suspend. The wall clock is
 * read to show a time, or to compare it with another wall time. */
uint64_t now_monotonic_usec(void);
uint64_t now_boottime_usec(void);
uint64_t now_realtime_usec(void);
int64_t now_realtime_msec(void);
/* Returns a time of CLOCK_MONOTONIC as unix milliseconds of the present wall clock, for showing; 0 for 0. */
int64_t monotonic_to_unix_msec(uint64_t monotonic_usec);
/* Returns a past time of CLOCK_BOOTTIME as unix seconds of the present wall clock. The result is negative if
 * that clock stands in the first hours of 1970. */
int64_t boottime_to_unix(uint64_t boottime_usec);

/* Fills 'p' with n random bytes from the kernel; aborts if it provides none. */
void random_bytes(void *p, size_t n);
/* Writes n random bytes (at most 64) as 2n lower-case hex digits with a final NUL into 'ret'. */
void random_hex(char *ret, size_t n);
/* Writes a UUID of version 4 (RFC 9562: 122 random bits) into 'ret'. */
#define UUID_SIZE 37
void random_uuid(char ret[UUID_SIZE]);
/* Writes 16 bytes in the form of a UUID. */
void uuid_format(const uint8_t bytes[16], char ret[UUID_SIZE]);
void bytes_to_hex(const uint8_t *bytes, size_t n, char *ret);

/* Frees the old string and stores a copy of 'value' (may be NULL). */
void set_string(char **to, const char *value);

/* Closes the descriptor unless it is negative, preserves errno, and returns −1 for the caller to assign. */
int close_fd(int fd);
