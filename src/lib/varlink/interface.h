/* Declares a Varlink interface as data: its methods with the structs of their parameters and replies, and its
 * errors.
 *
 * The served description, the check of messages, proto/NAME.varlink and the reference page are generated from
 * this declaration. */
#pragma once

#include "lib/schema/schema.h"

enum {
    VARLINK_MORE = 1,    /* the replies are a stream when the caller sets 'more' */
    VARLINK_UPGRADE = 2, /* after the reply the connection carries raw bytes; the caller must set 'upgrade' */
    VARLINK_CHANGES = 4, /* changes something: refused to peers that may only read (lib/service) */
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
    const struct varlink_error *errors;   /* ends with a name of NULL; may be NULL */
};

/* The interface io.hostlet, which every service serves in addition to its own. It declares the errors, one
 * for each error class. */
extern const struct varlink_interface varlink_common_interface;

/* The parameters of those errors. */
struct varlink_reason {
    char *reason;
    char *service;
};
extern const struct schema_struct varlink_reason_schema;

/* Return the name of the error for a class ("io.hostlet.RetryLater" for ERROR_RETRY), and the class for a
 * name: ERROR_REFUSED for the errors of org.varlink.service, ERROR_FAILED for an unknown name. */
const char *varlink_error_name(enum error_class class);
enum error_class varlink_error_class(const char *name);

/* Returns the method with a name (without the interface's name), or NULL. */
const struct varlink_method *varlink_find_method(const struct varlink_interface *interface, const char *name);

/* Limit of one message, in bytes. The server ends the connection of a peer that sends a larger one. */
#define VARLINK_MESSAGE_MAX ((size_t)16 << 20)
/* Limit of the values in one message. A parsed value occupies about a hundred bytes of memory, independent of
 * its size on the wire. */
#define VARLINK_VALUES_MAX ((size_t)1 << 18)
/* Returns an upper bound of the number of values in a text, which need not be JSON. Returns 0 for a text that
 * is too short to exceed VARLINK_VALUES_MAX. */
size_t varlink_values(const char *text, size_t size);
/* Limit of the unsent bytes of one connection. The connection of a peer that does not read ends beyond it. */
#define VARLINK_OUTPUT_MAX ((size_t)32 << 20)
