/* Declares io.hostlet.Supervisor; see supervisor.h. */
#include "lib/api/supervisor.h"

#include "lib/api/declare.h"

static const char *const state_names[] = {
    [SERVICE_DOWN] = "down",         [SERVICE_LISTENING] = "listening", [SERVICE_WAITING] = "waiting",
    [SERVICE_STARTING] = "starting", [SERVICE_READY] = "ready",         [SERVICE_STOPPING] = "stopping",
    [SERVICE_BACKOFF] = "backoff",   [SERVICE_FAILED] = "failed",       [_SERVICE_STATE_MAX] = NULL,
};
const struct schema_enum service_state_enum = {
    "ServiceState",
    "down: stopped on request. listening: starts at the first call. backoff: died, starts again after a "
    "pause. failed: given up.",
    state_names};

#define T struct supervisor_service
STRUCT_EXPORTED(supervisor_service_schema, "Service", T, "A service of the tree.", S_STRING(T, name, NULL),
                S_STRING_OPT(T, description, NULL), S_ENUM(T, state, &service_state_enum, NULL),
                S_STRING_OPT(T, reason, "Why it is in backoff or failed."), S_INT_OPT(T, pid, NULL),
                S_INT_OPT(T, uptime_msec, "Milliseconds since it was started."),
                S_INT_OPT(T, restarts, "Deaths that nobody asked for."),
                S_STRING_OPT(T, last_exit, "exit N or signal NAME."),
                S_INT_OPT(T, memory, "Proportional set size in bytes."), S_BOOL_OPT(T, on_demand, NULL),
                S_BOOL_OPT(T, disabled, "hostlet.conf does not let it run."));
#undef T
#define T struct supervisor_list_out
STRUCT(list_out, NULL, T, NULL,
       S_STRUCT_OPT(T, service, struct supervisor_service, &supervisor_service_schema,
                    "Absent in the answer that ends a list."));
#undef T
#define T struct supervisor_watch_out
STRUCT(watch_out, NULL, T, NULL,
       S_STRUCT_OPT(T, service, struct supervisor_service, &supervisor_service_schema,
                    "Absent in the answer with complete."),
       S_BOOL_OPT(T, gone, "There is no such service any more: this is the last of it."),
       S_BOOL_OPT(T, complete, "All that is there was told; changes follow."));
#undef T
#define T struct supervisor_name_in
STRUCT(name_in, NULL, T, NULL, S_STRING(T, name, NULL));
#undef T

static const struct varlink_method methods[] = {
    {"List", VARLINK_MORE, NULL, &list_out, "All services, one per answer."},
    {"Start", VARLINK_CHANGES, &name_in, NULL,
     "Starts a service that is down or given up; answers when it is ready."},
    {"Stop", VARLINK_CHANGES, &name_in, NULL,
     "Stops a service, and those that need it; answers when it ended."},
    {"Restart", VARLINK_CHANGES, &name_in, NULL, "Stops and starts one service; answers when it is ready."},
    {"Watch", VARLINK_MORE, NULL, &watch_out,
     "All services, then an answer with complete, then each again when it changes."},
    {"Reload", VARLINK_CHANGES, NULL, NULL,
     "Reads the configuration and all service.conf files anew, and restarts what changed; a mistake anywhere "
     "is the error, and nothing changes. Answers when that has begun."},
    {.name = NULL},
};
const struct varlink_interface supervisor_interface = {"io.hostlet.Supervisor", "The processes of the tree.",
                                                       methods, NULL};
