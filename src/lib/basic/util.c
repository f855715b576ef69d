/* Implements util.h. */
#include "lib/basic/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

static void *or_abort(void *p)
{
    if (!p)
        abort();
    return p;
}

int close_fd(int fd)
{
    if (fd >= 0) {
        int saved = errno;
        close(fd);
        errno = saved;
    }
    return -1;
}

const char *after_prefix(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

void skip_byte_order_mark(const char **text, size_t *size)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t n = sizeof mark - 1;
    if (*size >= n && memcmp(*text, mark, n) == 0) {
        *text += n;
        *size -= n;
    }
}

bool has_suffix(const char *s, const char *suffix)
{
    size_t a = strlen(s), b = strlen(suffix);
    return a >= b && streq(s + a - b, suffix);
}

char *xasprintf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0)
        abort();
    va_end(ap);
    return s;
}

char *xstrdup(const char *s)
{
    return or_abort(strdup(s));
}

char *xstrdup_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    return or_abort(strndup(s, n));
}

void *xcalloc(size_t n, size_t size)
{
    return or_abort(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n, size_t size)
{
    return or_abort(reallocarray(p, n ? n : 1, size ? size : 1));
}

int parse_int64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    if (!((*s >= '0' && *s <= '9') || (*s == '-' && s[1] >= '0' && s[1] <= '9')))
        return -EINVAL;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (*end)
        return -EINVAL;
    if (errno == ERANGE || v < min || v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

static uint64_t clock_usec(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_monotonic_usec(void)
{
    return clock_usec(CLOCK_MONOTONIC);
}

uint64_t now_boottime_usec(void)
{
    return clock_usec(CLOCK_BOOTTIME);
}

uint64_t now_realtime_usec(void)
{
    return clock_usec(CLOCK_REALTIME);
}

int64_t now_realtime_msec(void)
{
    return (int64_t)(clock_usec(CLOCK_REALTIME) / 1000);
}

int64_t monotonic_to_unix_msec(uint64_t monotonic_usec)
{
    int64_t left = (int64_t)monotonic_usec - (int64_t)now_monotonic_usec();
    return monotonic_usec == 0 ? 0 : ((int64_t)now_realtime_usec() + left) / (int64_t)USEC_PER_MSEC;
}

int64_t boottime_to_unix(uint64_t boottime_usec)
{
    int64_t ago = (int64_t)now_boottime_usec() - (int64_t)boottime_usec;
    return ((int64_t)now_realtime_usec() - ago) / (int64_t)USEC_PER_SEC;
}

char *format_size(int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1024;
        unit++;
    }
    return unit == 0 ? xasprintf("%lld B", (long long)bytes) : xasprintf("%.1f %s", value, units[unit]);
}

void random_bytes(void *p, size_t n)
{
    uint8_t *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort();
        at += got;
        n -= (size_t)got;
    }
}

void bytes_to_hex(const uint8_t *bytes, size_t n, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * n] = '\0';
}

void random_hex(char *ret, size_t n)
{
    uint8_t bytes[64];
    if (n > sizeof bytes)
        abort();
    random_bytes(bytes, n);
    bytes_to_hex(bytes, n, ret);
}

void random_uuid(char ret[UUID_SIZE])
{
    uint8_t bytes[16];
    random_bytes(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    uuid_format(bytes, ret);
}

void uuid_format(const uint8_t bytes[16], char ret[UUID_SIZE])
{
    char hex[33];
    bytes_to_hex(bytes, 16, hex);
    snprintf(ret, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

void set_string(char **to, const char *value)
{
    char *copy = xstrdup_null(value);
    free(*to);
    *to = copy;
}
