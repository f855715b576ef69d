/* An error with its context: what a caller can do about it, the errno behind it, and one sentence for a
 * human.
 *
 * Functions return 0 or a negative errno and fill a 'struct error'; output arguments stay untouched on
 * failure. The classes are the vocabulary of the wire as well (errors of the interface io.hostlet). */
#pragma once

#include "lib/basic/util.h"

enum error_class {
    ERROR_FAILED,        /* failed for good: the same request will fail again until something else changes */
    ERROR_RETRY,         /* may work later: the caller repeats it, with backoff */
    ERROR_REFUSED,       /* the request itself is wrong or not allowed */
    ERROR_NOT_FOUND,     /* the object named does not exist */
    ERROR_CONFLICT,      /* the name is taken by something that is not ours */
    ERROR_NOT_SUPPORTED, /* this machine cannot do it; the message says why and what would help */
    ERROR_UNAUTHORIZED,  /* the caller has not shown that it may */
    ERROR_SERVICE_DOWN,  /* the service was stopped or given up by the supervisor */
    _ERROR_CLASS_MAX
};

struct error {
    enum error_class class;
    int errnum; /* positive errno; 0 while no error is set */
    char message[1024];
};

#define ERROR_INIT                                                                                           \
    {                                                                                                        \
        0                                                                                                    \
    }

/* Each fills 'e' (which may be NULL) and returns −errnum, so that "return error_fail(e, EINVAL, …)" reads
 * well. */
int error_set(struct error *e, enum error_class class, int errnum, const char *fmt, ...) _printf_(4, 5);
int error_fail(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);
int error_retry(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);
int error_refuse(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);

/* For failed system calls: appends ": strerror(errnum)" and chooses the class: shortages and time-outs
 * (EAGAIN, ENOMEM, ENOSPC, EMFILE, ETIMEDOUT, ECONNREFUSED, …) are worth a retry, everything else failed for
 * good. */
int error_os(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);

/* Puts context before the message: "context: message". */
int error_prefix(struct error *e, const char *fmt, ...) _printf_(2, 3);

/* Tells whether a call failed since the process that was called died before it answered. Its supervisor
 * starts it again, and the caller repeats the call. */
bool error_worker_lost(const struct error *e);

const char *error_class_to_string(enum error_class class);
