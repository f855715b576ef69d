/* rpc-gateway: serves the network and talks to the zone.
 *
 * Job: takes the reports of the containers' inagent at a Unix socket. With [zone] enable it also serves HTTP
 * (these reports, metrics, health) and gRPC on TCP, and calls the zone's leader; without, it runs on demand.
 * Privileges: its own user, no capability; the network. It parses hostile bytes, so it may call the other
 * processes for little: their service.conf defines what.
 * Failures: the process can be killed at any time. It acknowledges what it receives only after it has
 * passed it on, and peers that connect meanwhile wait in the backlog of the ports, which hostletd keeps
 * open. Bytes that are no request end their connection and nothing else. When asked to end, it completes
 * the calls of the peer port first, within two seconds. */
#include "lib/service/service.h"
#include "rpc-gateway/manager.h"
#include "rpc-gateway/methods.h"

static const char *const failpoints[] = {
    "report.received",   /* an agent's report is parsed, and not passed on yet */
    "report.judged",     /* the reconciler has accepted the report, the agent has no response yet */
    "zone.before_save",  /* zone.json is about to be replaced */
    "zone.saved",        /* zone.json is replaced */
    "zone.left",         /* zone.json is removed; net-keeper still has the network */
    "token.before_keep", /* a zone's token is valid, and not stored as used */
    "token.kept",        /* the token is stored as used; the call is not executed yet */
    NULL,
};

static int before_jail(struct service_context *context, struct error *e)
{
    return membership_prepare(&context->tree, service_uid(context), service_gid(context), e);
}

static int check(struct service_context *context, struct error *e)
{
    return manager_check(context, e);
}

static int start(struct service_context *context, struct error *e)
{
    struct manager *m = NULL;
    int r = manager_new(context, &m, e);
    if (r >= 0)
        context->userdata = m;
    return r;
}

static bool busy(void *userdata)
{
    return manager_busy(userdata);
}

static void public_moved(void *userdata)
{
    manager_public_moved(userdata);
}

static void finish(void *userdata)
{
    manager_finish(userdata);
}

static void stop(void *userdata)
{
    manager_free(userdata);
}

static const struct service_definition service = {
    .name = "rpc-gateway",
    .interface = &rpc_gateway_interface,
    .handlers = gateway_handlers,
    .failpoints = failpoints,
    .check = check,
    .before_jail = before_jail,
    .start = start,
    .busy = busy,
    .public_moved = public_moved,
    .finish = finish,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
