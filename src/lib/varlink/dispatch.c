/* Implements dispatch.h: checks a message's envelope, finds the method, parses the parameters and calls the
 * handler. Replies to the methods of org.varlink.service itself. */
#include "lib/varlink/dispatch.h"

#include <errno.h>
#include <stdlib.h>

#include "config.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"
#include "lib/varlink/describe.h"
#include "lib/varlink/server-types.h"

static void send_error(struct connection *c, bool oneway, const char *name, const char *key,
                       const char *value)
{
    if (oneway)
        return;
    json_t *message = json_pack("{s:s,s:{s:s?}}", "error", name, "parameters", key, value);
    if (message) {
        if (stream_send(c->stream, message) == -EMSGSIZE) /* 'value' is from the peer's message */
            send_error(c, oneway, name, key, NULL);
        json_decref(message);
    }
}

static void answer_service(struct connection *c, const char *method, json_t *parameters)
{
    const struct varlink_interface *own = c->server->options.interface;
    if (streq(method, "GetInfo")) {
        json_t *message =
            json_pack("{s:{s:s,s:s,s:s,s:s,s:[s,s,s]}}", "parameters", "vendor", "hostlet", "product",
                      own->name, "version", PACKAGE_VERSION, "url", "https://varlink.org/", "interfaces",
                      "org.varlink.service", varlink_common_interface.name, own->name);
        stream_send(c->stream, message);
        json_decref(message);
        return;
    }
    if (!streq(method, "GetInterfaceDescription")) {
        send_error(c, false, "org.varlink.service.MethodNotFound", "method", method);
        return;
    }
    const char *name = json_string_value(json_object_get(parameters, "interface"));
    if (!name) {
        send_error(c, false, "org.varlink.service.InvalidParameter", "parameter", "interface");
        return;
    }
    const struct varlink_interface *which = streq(name, own->name) ? own
                                            : streq(name, varlink_common_interface.name)
                                                ? &varlink_common_interface
                                                : NULL;
    _cleanup_free_ char *text = NULL;
    if (which)
        text = varlink_describe(which);
    else if (streq(name, "org.varlink.service"))
        text = xstrdup(
            "# The methods of every Varlink service.\ninterface org.varlink.service\n\n"
            "method GetInfo() -> (vendor: string, product: string, version: string, url: string, "
            "interfaces: []string)\n\n"
            "method GetInterfaceDescription(interface: string) -> (description: string)\n\n"
            "error InterfaceNotFound (interface: string)\n\nerror MethodNotFound (method: string)\n\n"
            "error MethodNotImplemented (method: string)\n\nerror InvalidParameter (parameter: string)\n\n"
            "error PermissionDenied ()\n\nerror ExpectedMore ()\n");
    if (!text) {
        send_error(c, false, "org.varlink.service.InterfaceNotFound", "interface", name);
        return;
    }
    json_t *message = json_pack("{s:{s:s}}", "parameters", "description", text);
    stream_send(c->stream, message);
    json_decref(message);
}

static varlink_handler_fn find_handler(const struct varlink_server *server, const char *method)
{
    for (const struct varlink_handlers *h = server->options.handlers; h && h->method; h++)
        if (streq(h->method, method))
            return h->handler;
    return NULL;
}

/* Reports whether the method supports the flags of the call; if not, sends the error. */
static bool flags_fit(struct connection *c, const struct varlink_method *m, const struct varlink_call *flags,
                      bool upgrade)
{
    if (upgrade != !!(m->flags & VARLINK_UPGRADE)) {
        send_error(c, flags->oneway, "org.varlink.service.InvalidParameter", "parameter", "upgrade");
        return false;
    }
    if (flags->more && !(m->flags & VARLINK_MORE)) {
        send_error(c, flags->oneway, "org.varlink.service.InvalidParameter", "parameter", "more");
        return false;
    }
    return true;
}

/* Parses the parameters and calls the handler. Returns 1 when the handler has not replied yet, so that the
 * connection is not read until it does; else 0. */
static int call_handler(struct connection *c, const struct varlink_call *flags,
                        const struct varlink_method *m, json_t *parameters)
{
    varlink_handler_fn handler = find_handler(c->server, m->name);
    struct error e = ERROR_INIT;
    void *in = m->in ? xcalloc(1, m->in->size) : NULL;
    static const struct schema_field no_fields[] = {S_END};
    static const struct schema_struct nothing = {NULL, 0, NULL, no_fields};
    char dummy;
    if (!handler) {
        free(in);
        send_error(c, flags->oneway, "org.varlink.service.MethodNotImplemented", "method", m->name);
        return 0;
    }
    if (schema_parse(m->in ?: &nothing, parameters, SCHEMA_STRICT, in ?: &dummy, &e) < 0) {
        free(in);
        send_error(c, flags->oneway, "org.varlink.service.InvalidParameter", "parameter", e.message);
        return 0;
    }
    struct varlink_call *call = xcalloc(1, sizeof *call);
    *call = *flags;
    call->connection = c;
    call->method = m;
    c->call = call;
    if (handler(call, in, c->server->options.userdata, &e) < 0)
        varlink_error(call, &e);
    if (m->in)
        schema_free(m->in, in);
    return c->call ? 1 : 0;
}

static int dispatch(struct connection *c, const struct varlink_call *flags, bool upgrade, const char *method,
                    json_t *parameters)
{
    const struct varlink_interface *own = c->server->options.interface;
    const char *dot = strrchr(method, '.');
    if (!dot) {
        send_error(c, flags->oneway, "org.varlink.service.InvalidParameter", "parameter", "method");
        return 0;
    }
    if (after_prefix(method, "org.varlink.service.") == dot + 1) {
        answer_service(c, dot + 1, parameters);
        return 0;
    }
    _cleanup_free_ char *interface = xstrndup(method, (size_t)(dot - method));
    if (!streq(interface, own->name)) {
        send_error(c, flags->oneway, "org.varlink.service.InterfaceNotFound", "interface", interface);
        return 0;
    }
    const struct varlink_method *m = varlink_find_method(own, dot + 1);
    if (!m) {
        send_error(c, flags->oneway, "org.varlink.service.MethodNotFound", "method", method);
        return 0;
    }
    const struct varlink_server_options *options = &c->server->options;
    if (options->method_allowed && !options->method_allowed(c->peer.uid, m->name, options->hooks_userdata)) {
        send_error(c, flags->oneway, "org.varlink.service.PermissionDenied", "reason",
                   "this user may not call this method");
        return 0;
    }
    return flags_fit(c, m, flags, upgrade) ? call_handler(c, flags, m, parameters) : 0;
}

static int flag(json_t *message, const char *name, bool *ret)
{
    json_t *value = json_object_get(message, name);
    if (value && !json_is_boolean(value) && !json_is_null(value))
        return -EINVAL;
    *ret = value && json_is_true(value);
    return 0;
}

int connection_message(struct stream *stream, json_t *message, void *userdata)
{
    struct connection *c = userdata;
    struct varlink_server *server = c->server;
    c->idle_since = now_monotonic_usec();
    struct varlink_call flags = {.connection = c};
    bool upgrade = false;
    const char *method = json_string_value(json_object_get(message, "method"));
    json_t *parameters = json_object_get(message, "parameters");

    /* When the client has hung up already, the call does not begin. */
    if (stream_peer_gone(stream))
        return 0;
    if (!method || (parameters && !json_is_object(parameters) && !json_is_null(parameters)) ||
        flag(message, "more", &flags.more) < 0 || flag(message, "oneway", &flags.oneway) < 0 ||
        flag(message, "upgrade", &upgrade) < 0) {
        send_error(c, false, "org.varlink.service.InvalidParameter", "parameter", "call");
        stream_close_when_sent(stream);
        return 0;
    }
    if (server->options.answer_all) {
        struct error e = ERROR_INIT;
        server->options.answer_all(&e, server->options.hooks_userdata);
        send_error(c, flags.oneway, varlink_error_name(e.class), "reason", e.message);
        return 0;
    }
    _cleanup_(json_decrefp) json_t *none = json_object();
    return dispatch(c, &flags, upgrade, method, parameters && json_is_object(parameters) ? parameters : none);
}
