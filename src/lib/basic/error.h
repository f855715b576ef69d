/* Defines an error with its context: a class that tells the caller how to react, the errno, and one
 * sentence for a person.
 *
 * Functions return 0 or a negative errno and fill a 'struct error'; they leave output arguments untouched
 * on failure. The classes are also the errors of the interface io.hostlet. */
#pragma once

#include "lib/basic/util.h"

enum error_class {
    ERROR_FAILED,        /* permanent: the same request fails again until something else changes */
    ERROR_RETRY,         /* may succeed later: the caller repeats the request, with backoff */
    ERROR_REFUSED,       /* the request itself is wrong or not allowed */
    ERROR_NOT_FOUND,     /* the named object does not exist */
    ERROR_CONFLICT,      /* the name is in use by an object that does not belong to this tree */
    ERROR_NOT_SUPPORTED, /* this machine cannot do it; the message says why and what would help */
    ERROR_UNAUTHORIZED,  /* the caller has not proved that it is allowed to */
    ERROR_SERVICE_DOWN,  /* the supervisor has stopped the service, or no longer restarts it */
    _ERROR_CLASS_MAX
};

struct error {
    enum error_class class;
    int errnum; /* positive errno; 0: no error is set */
    char message[1024];
};

#define ERROR_INIT                                                                                           \
    {                                                                                                        \
        0                                                                                                    \
    }

/* Fill 'e' (which may be NULL) and return −errnum, so that a caller can write "return error_fail(e,
 * EINVAL, …)". error_fail, error_retry and error_refuse set the class that their name states. */
int error_set(struct error *e, enum error_class class, int errnum, const char *fmt, ...) _printf_(4, 5);
int error_fail(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);
int error_retry(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);
int error_refuse(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);

/* Describes a failed system call: appends ": strerror(errnum)" and chooses the class: ERROR_RETRY for
 * shortages, time-outs and lost connections (EAGAIN, ENOMEM, ENOSPC, EMFILE, ETIMEDOUT, ECONNREFUSED, …),
 * ERROR_FAILED for the rest. */
int error_os(struct error *e, int errnum, const char *fmt, ...) _printf_(3, 4);

/* Prefixes the message with a context, "context: message". Returns −e->errnum, or −EIO if 'e' is NULL. */
int error_prefix(struct error *e, const char *fmt, ...) _printf_(2, 3);

/* Reports whether a call failed because the called process exited before it replied. The supervisor
 * restarts that process, and the caller repeats the call. */
bool error_worker_lost(const struct error *e);

const char *error_class_to_string(enum error_class class);
