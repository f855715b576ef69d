/* Implements interface.h: the common interface io.hostlet and the names of errors. */
#include "lib/varlink/interface.h"

#include <assert.h>

static const struct schema_field reason_fields[] = {
    S_STRING(struct varlink_reason, reason, "The cause of the error, for a human."),
    S_STRING_OPT(struct varlink_reason, service,
                 "The name of the service that failed, when it is not the service that replies."),
    S_END,
};
const struct schema_struct varlink_reason_schema = {NULL, sizeof(struct varlink_reason), NULL, reason_fields};

static const struct varlink_error common_errors[] = {
    [ERROR_FAILED] = {"Failed", &varlink_reason_schema,
                      "The call failed permanently: the same call fails again until something else changes."},
    [ERROR_RETRY] = {"RetryLater", &varlink_reason_schema,
                     "The call can succeed later: the caller retries it with backoff."},
    [ERROR_REFUSED] = {"Refused", &varlink_reason_schema, "The call itself is wrong or not allowed."},
    [ERROR_NOT_FOUND] = {"NotFound", &varlink_reason_schema, "The named object does not exist."},
    [ERROR_CONFLICT] = {"Conflict", &varlink_reason_schema,
                        "An object that does not belong to this tree has the name."},
    [ERROR_NOT_SUPPORTED] = {"NotSupported", &varlink_reason_schema,
                             "This machine does not support the call; the reason states what would."},
    [ERROR_UNAUTHORIZED] = {"Unauthorized", &varlink_reason_schema,
                            "The caller has not proved its permission: a secret is missing or wrong."},
    [ERROR_SERVICE_DOWN] = {"ServiceDown", &varlink_reason_schema,
                            "The service is down or failed; the supervisor replies in its place."},
    {NULL, NULL, NULL},
};
static_assert(ARRAY_SIZE(common_errors) == _ERROR_CLASS_MAX + 1, "every class has its error");

static const char *const full_names[] = {
    [ERROR_FAILED] = "io.hostlet.Failed",
    [ERROR_RETRY] = "io.hostlet.RetryLater",
    [ERROR_REFUSED] = "io.hostlet.Refused",
    [ERROR_NOT_FOUND] = "io.hostlet.NotFound",
    [ERROR_CONFLICT] = "io.hostlet.Conflict",
    [ERROR_NOT_SUPPORTED] = "io.hostlet.NotSupported",
    [ERROR_UNAUTHORIZED] = "io.hostlet.Unauthorized",
    [ERROR_SERVICE_DOWN] = "io.hostlet.ServiceDown",
};
static_assert(ARRAY_SIZE(full_names) == _ERROR_CLASS_MAX, "every class has its name");

const struct varlink_interface varlink_common_interface = {
    .name = "io.hostlet",
    .comment = "Errors with which every service of hostlet can reply.",
    .errors = common_errors,
};

const char *varlink_error_name(enum error_class class)
{
    return full_names[class];
}

enum error_class varlink_error_class(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(full_names); i++)
        if (streq(name, full_names[i]))
            return (enum error_class)i;
    /* The protocol's own errors mean that the message is wrong, so that a retry is useless. */
    return after_prefix(name, "org.varlink.service.") ? ERROR_REFUSED : ERROR_FAILED;
}

size_t varlink_values(const char *text, size_t size)
{
    size_t values = 0;
    bool quoted = false;
    if (size <= VARLINK_VALUES_MAX)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            values += text[i] == ',' || text[i] == '[' || text[i] == '{';
    }
    return values;
}

const struct varlink_method *varlink_find_method(const struct varlink_interface *interface, const char *name)
{
    for (const struct varlink_method *m = interface->methods; m && m->name; m++)
        if (streq(m->name, name))
            return m;
    return NULL;
}
