/* Implements error.h. */
#include "lib/basic/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const class_names[] = {
    [ERROR_FAILED] = "failed",
    [ERROR_RETRY] = "retry later",
    [ERROR_REFUSED] = "refused",
    [ERROR_NOT_FOUND] = "not found",
    [ERROR_CONFLICT] = "conflict",
    [ERROR_NOT_SUPPORTED] = "not supported",
    [ERROR_UNAUTHORIZED] = "unauthorized",
    [ERROR_SERVICE_DOWN] = "service down",
};
static_assert(ARRAY_SIZE(class_names) == _ERROR_CLASS_MAX, "every class has a name");

const char *error_class_to_string(enum error_class class)
{
    return class_names[class];
}

_printf_(4, 0) static int error_setv(struct error *e, enum error_class class, int errnum, const char *fmt,
                                     va_list ap)
{
    assert(errnum > 0);
    if (e) {
        e->class = class;
        e->errnum = errnum;
        vsnprintf(e->message, sizeof e->message, fmt, ap);
    }
    return -errnum;
}

int error_set(struct error *e, enum error_class class, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = error_setv(e, class, errnum, fmt, ap);
    va_end(ap);
    return r;
}

int error_fail(struct error *e, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = error_setv(e, ERROR_FAILED, errnum, fmt, ap);
    va_end(ap);
    return r;
}

int error_retry(struct error *e, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = error_setv(e, ERROR_RETRY, errnum, fmt, ap);
    va_end(ap);
    return r;
}

int error_refuse(struct error *e, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = error_setv(e, ERROR_REFUSED, errnum, fmt, ap);
    va_end(ap);
    return r;
}

static enum error_class class_of_errno(int errnum)
{
    switch (errnum) {
    case EAGAIN:
    case EINTR:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EBUSY:
    case ENOBUFS:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ENETUNREACH:
    case EHOSTUNREACH:
        return ERROR_RETRY;
    default:
        return ERROR_FAILED;
    }
}

int error_os(struct error *e, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = error_setv(e, class_of_errno(errnum), errnum, fmt, ap);
    va_end(ap);
    if (e) {
        size_t n = strlen(e->message);
        snprintf(e->message + n, sizeof e->message - n, ": %s", strerrordesc_np(errnum) ?: "unknown error");
    }
    return r;
}

/* A reply that carries an error of class ERROR_RETRY has EAGAIN (lib/varlink/client.c): ECONNRESET and
 * EPIPE arise from the connection itself. */
bool error_worker_lost(const struct error *e)
{
    return e->class == ERROR_RETRY && (e->errnum == ECONNRESET || e->errnum == EPIPE);
}

int error_prefix(struct error *e, const char *fmt, ...)
{
    if (!e)
        return -EIO;
    char context[sizeof e->message], whole[2 * sizeof e->message + 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    snprintf(whole, sizeof whole, "%s: %s", context, e->message);
    memcpy(e->message, whole, sizeof e->message - 1);
    e->message[sizeof e->message - 1] = '\0';
    return -e->errnum;
}
