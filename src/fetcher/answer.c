/* Implements answer.h. */
#include "fetcher/answer.h"

#include <errno.h>
#include <strings.h>

#define RETRY_AFTER_MAX 60

/* Parses digits and advances *s past them. Returns false if there are none or the number overflows. */
static bool take_number(const char **s, uint64_t *ret)
{
    uint64_t n = 0;
    const char *begin = *s;
    for (; **s >= '0' && **s <= '9'; (*s)++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(**s - '0'), &n))
            return false;
    *ret = n;
    return *s > begin;
}

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static const char *after_unit(const char *value)
{
    if (!value || strncasecmp(value, "bytes", 5) != 0 || value[5] != ' ')
        return NULL;
    value += 5;
    while (*value == ' ')
        value++;
    return value;
}

int answer_range_parse(const char *value, struct answer_range *ret)
{
    struct answer_range range = {.total = UINT64_MAX};
    const char *s = after_unit(value);
    if (!s || !take_number(&s, &range.first) || !take_char(&s, '-') || !take_number(&s, &range.last) ||
        !take_char(&s, '/') || range.last < range.first)
        return -EINVAL;
    if (!take_char(&s, '*') && (!take_number(&s, &range.total) || range.total <= range.last))
        return -EINVAL;
    if (*s)
        return -EINVAL;
    *ret = range;
    return 0;
}

int answer_range_total(const char *value, uint64_t *ret)
{
    const char *s = after_unit(value);
    uint64_t total;
    if (!s || !take_char(&s, '*') || !take_char(&s, '/') || !take_number(&s, &total) || *s)
        return -EINVAL;
    *ret = total;
    return 0;
}

int answer_status_error(unsigned status, struct error *e)
{
    if (status >= 200 && status < 300)
        return 0;
    if (status == 404 || status == 410)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "the file does not exist (status %u)", status);
    if (status == 401)
        return error_fail(
            e, EACCES,
            "access is denied (status %u): user and password for it are read from the file that [fetcher] "
            "credentials names",
            status);
    if (status == 403 || status == 407)
        return error_fail(e, EACCES, "access is denied (status %u)", status);
    if (status >= 500 || status == 408 || status == 425 || status == 429)
        return error_retry(e, EBUSY, "the server is unavailable or overloaded (status %u)", status);
    if (status >= 300 && status < 400)
        return error_fail(e, EPROTO, "the server sent a redirect without a usable target (status %u)",
                          status);
    return error_fail(e, EPROTO, "unexpected response (status %u)", status);
}

static int size_error(const struct question *q, uint64_t size, struct error *e)
{
    return error_fail(e, EBADMSG, "the server's file has %llu bytes, the package %llu",
                      (unsigned long long)size, (unsigned long long)q->size);
}

static enum answer_meaning whole_meaning(const struct question *q, const struct answer *a, uint64_t *ret_size,
                                         struct error *e)
{
    const char *s = a->content_length;
    uint64_t size;
    *ret_size = q->size;
    if (!s || !take_number(&s, &size) || *s)
        return ANSWER_WHOLE;
    if (q->size > 0 && size != q->size) {
        size_error(q, size, e);
        return ANSWER_ERROR;
    }
    *ret_size = size;
    return ANSWER_WHOLE;
}

static enum answer_meaning part_meaning(const struct question *q, const struct answer *a, uint64_t *ret_size,
                                        struct error *e)
{
    struct answer_range range;
    if (q->from == 0) {
        error_fail(e, EPROTO, "the server sends a part of the file, which was not asked for");
        return ANSWER_ERROR;
    }
    if (answer_range_parse(a->content_range, &range) < 0)
        error_fail(e, EPROTO, "the server's response does not contain the range that it sends");
    else if (range.first != q->from)
        error_fail(e, EPROTO, "the server sends another range than was requested");
    else if (q->size > 0 && range.total != UINT64_MAX && range.total != q->size)
        size_error(q, range.total, e);
    else if (q->etag && a->etag && !streq(q->etag, a->etag))
        error_fail(e, ESTALE, "the file on the server has changed");
    else {
        *ret_size = range.total != UINT64_MAX ? range.total : q->size;
        return ANSWER_CONTINUES;
    }
    return ANSWER_AGAIN;
}

enum answer_meaning answer_meaning(const struct question *q, const struct answer *a, uint64_t *ret_size,
                                   struct error *e)
{
    uint64_t total;
    if (a->status == 200)
        return whole_meaning(q, a, ret_size, e);
    if (a->status == 206)
        return part_meaning(q, a, ret_size, e);
    if (a->status == 416 && q->from > 0) {
        /* 416: the server's file has no byte at 'from'. Either the bytes that exist here are the whole file,
         * or they are not a part of it. */
        if (answer_range_total(a->content_range, &total) >= 0 && total == q->from &&
            (q->size == 0 || q->size == total)) {
            *ret_size = total;
            return ANSWER_COMPLETE;
        }
        error_fail(e, ERANGE, "the server's file is shorter than the part that exists here");
        return ANSWER_AGAIN;
    }
    if (answer_status_error(a->status, e) == 0)
        error_fail(e, EPROTO, "unexpected response (status %u)", a->status);
    return ANSWER_ERROR;
}

unsigned answer_retry_after(const char *value)
{
    uint64_t seconds;
    if (!value || !take_number(&value, &seconds) || *value)
        return 0;
    return seconds < RETRY_AFTER_MAX ? (unsigned)seconds : RETRY_AFTER_MAX;
}
