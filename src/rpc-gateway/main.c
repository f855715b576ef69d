/* rpc-gateway: the machine's face towards the network.
 *
 * Job: serves HTTP (reports of the containers' inagent, metrics, health) and gRPC on TCP, and speaks with the
 * zone. Privileges: own user, no capability; the network. It parses hostile bytes, so it may ask the other
 * processes for little: their service.conf says what. Failures: it may be killed at any instant. What it is
 * told is passed on before it is acknowledged, and peers that come meanwhile wait in the backlog of the
 * ports, which hostletd holds. Bytes that are no request end their connection and nothing else. Asked to end,
 * it finishes the calls of the peer port first, for two seconds at most. */
#include "lib/service/service.h"
#include "rpc-gateway/manager.h"
#include "rpc-gateway/methods.h"

static const char *const failpoints[] = {
    "report.received",   /* an agent's report was read, and not passed on yet */
    "report.judged",     /* the reconciler has it, and the agent does not know */
    "zone.before_save",  /* zone.json is to be replaced */
    "zone.saved",        /* it is */
    "token.before_keep", /* a zone's token is good, and not written down as taken */
    "token.kept",        /* it is; nothing of the call was done */
    NULL,
};

static int before_jail(struct service_context *context, struct error *e)
{
    return membership_prepare(&context->tree, service_uid(context), service_gid(context), e);
}

static int start(struct service_context *context, struct error *e)
{
    struct manager *m = NULL;
    int r = manager_new(context, &m, e);
    if (r >= 0)
        context->userdata = m;
    return r;
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
    .before_jail = before_jail,
    .start = start,
    .finish = finish,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
