/* Implements supervisor.h: declares io.hostlet.Supervisor. */
#include "lib/api/supervisor.h"

#include "lib/api/declare.h"

static const char *const state_names[] = {
    [SERVICE_DOWN] = "down",         [SERVICE_LISTENING] = "listening", [SERVICE_WAITING] = "waiting",
    [SERVICE_STARTING] = "starting", [SERVICE_READY] = "ready",         [SERVICE_STOPPING] = "stopping",
    [SERVICE_BACKOFF] = "backoff",   [SERVICE_FAILED] = "failed",       [_SERVICE_STATE_MAX] = NULL,
};
const struct schema_enum service_state_enum = {
    "ServiceState",
    "down: the service was stopped on request. listening: the first call starts it. backoff: it exited "
    "without a request and is restarted after a pause. failed: it is not restarted without a request, or its "
    "socket cannot be bound, which is retried.",
    state_names};

#define T struct supervisor_service
STRUCT_EXPORTED(
    supervisor_service_schema, "Service", T, "A service of the tree.", S_STRING(T, name, NULL),
    S_STRING_OPT(T, description, NULL), S_ENUM(T, state, &service_state_enum, NULL),
    S_STRING_OPT(T, reason,
                 "Why the state is backoff or failed, or down although no call stopped the service."),
    S_INT_OPT(T, pid, NULL), S_INT_OPT(T, uptime_msec, "Milliseconds since the process was started."),
    S_INT_OPT(T, restarts, "The number of exits without a request."),
    S_STRING_OPT(T, last_exit, "The last exit: exit N or signal NAME."),
    S_INT_OPT(T, memory, "Proportional set size in bytes."), S_BOOL_OPT(T, on_demand, NULL),
    S_BOOL_OPT(T, disabled, "hostlet.conf disables the service."));
#undef T
#define T struct supervisor_list_out
STRUCT(list_out, NULL, T, NULL,
       S_STRUCT_OPT(T, service, struct supervisor_service, &supervisor_service_schema,
                    "Absent in the reply that ends a list."));
#undef T
#define T struct supervisor_watch_out
STRUCT(watch_out, NULL, T, NULL,
       S_STRUCT_OPT(T, service, struct supervisor_service, &supervisor_service_schema,
                    "Absent in the reply with complete."),
       S_BOOL_OPT(T, gone, "The service no longer exists: this is its last reply."),
       S_BOOL_OPT(T, complete, "The snapshot ends; changes follow."));
#undef T
#define T struct supervisor_name_in
STRUCT(name_in, NULL, T, NULL, S_STRING(T, name, NULL));
#undef T
#define T struct supervisor_order_out
STRUCT(order_out, NULL, T, NULL,
       S_STRINGS(T, also, "Names of the other services that are started or stopped."));
#undef T

static const struct varlink_method methods[] = {
    {"List", VARLINK_MORE, NULL, &list_out, "Returns all services, one in each reply."},
    {"Start", VARLINK_CHANGES, &name_in, &order_out,
     "Starts a service that is down or failed, the services that it needs, and those that were stopped with "
     "one of these and not by a call of their own. Replies when all of them are ready, or with the reason "
     "why one of them is not."},
    {"Stop", VARLINK_CHANGES, &name_in, &order_out,
     "Stops a service and the services that need it. Replies when their processes have exited."},
    {"Restart", VARLINK_CHANGES, &name_in, &order_out,
     "Stops and starts one service, and replies when it is ready. One that is down is started as Start "
     "does."},
    {"Watch", VARLINK_MORE, NULL, &watch_out,
     "Sends a snapshot (all services), a reply with complete, and then each service again when it changes."},
    {"Reload", VARLINK_CHANGES, NULL, NULL,
     "Reads the configuration and all service.conf files again, and restarts the services whose definition "
     "changed. When a file contains a mistake, the error describes it and nothing changes. Replies when the "
     "restarts have begun."},
    {.name = NULL},
};
const struct varlink_interface supervisor_interface = {"io.hostlet.Supervisor",
                                                       "Manages the processes of the tree.", methods, NULL};
