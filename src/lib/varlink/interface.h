/* A Varlink interface as data: its methods with the declared structs that go in and out, its errors.
 *
 * The served description, the checking of messages, proto/NAME.varlink and the reference page all come from
 * this. */
#pragma once

#include "lib/schema/schema.h"

enum {
    VARLINK_MORE = 1,    /* answers may be a stream: the caller sets 'more' */
    VARLINK_UPGRADE = 2, /* after the answer the connection carries raw bytes: the caller sets 'upgrade' */
    VARLINK_CHANGES = 4, /* changes something: for callers that only may look (lib/service peers) */
};

struct varlink_method {
    const char *name;
    unsigned flags;
    const struct schema_struct *in, *out; /* NULL: no members */
    const char *comment;
};

struct varlink_error {
    const char *name;
    const struct schema_struct *parameters;
    const char *comment;
};

struct varlink_interface {
    const char *name; /* "io.hostlet.Fetcher" */
    const char *comment;
    const struct varlink_method *methods; /* ends with a name of NULL; may be NULL */
    const struct varlink_error *errors;   /* the same */
};

/* The interface every service serves beside its own: io.hostlet, the errors that say what a caller can do. */
extern const struct varlink_interface varlink_common_interface;

/* Parameters of those errors. */
struct varlink_reason {
    char *reason;
    char *service;
};
extern const struct schema_struct varlink_reason_schema;

/* "io.hostlet.RetryLater" for ERROR_RETRY, and back (ERROR_FAILED for names it does not know). */
const char *varlink_error_name(enum error_class class);
enum error_class varlink_error_class(const char *name);

const struct varlink_method *varlink_find_method(const struct varlink_interface *interface, const char *name);

/* Bounds of one message, in bytes with the NUL; a larger one ends the connection. */
#define VARLINK_MESSAGE_MAX ((size_t)16 << 20)
/* Values in one message: each costs a hundred bytes once it is parsed, whatever it took on the wire. */
#define VARLINK_VALUES_MAX ((size_t)1 << 18)
/* How many values a text has at most, which need not be JSON; 0 for one that is too short to have too many.
 */
size_t varlink_values(const char *text, size_t size);
/* What waits unsent for a reader that does not read, before it is cut off. */
#define VARLINK_OUTPUT_MAX ((size_t)32 << 20)
