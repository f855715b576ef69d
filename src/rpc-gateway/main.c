/* rpc-gateway: the machine's face towards the network.
 *
 * Job: serves HTTP (reports of the containers' inagent, metrics, health) and gRPC on TCP, and speaks with the zone.
 * Privileges: own user, no capability; the network. It parses hostile bytes, so it may ask the other processes for
 *   little: their service.conf says what.
 * Failures: it may be killed at any instant. What it is told is passed on before it is acknowledged, and peers that
 *   come meanwhile wait in the backlog of the ports, which hostletd holds. Bytes that are no request end their
 *   connection and nothing else. */
#include "lib/service/service.h"
#include "rpc-gateway/manager.h"
#include "rpc-gateway/methods.h"

/* Ports below 1024 are root's to bind. */
static int before_jail(struct service_context *context, struct error *e)
{
    context->userdata = manager_new(context);
    return manager_open_ports(context->userdata, e);
}

static int start(struct service_context *context, struct error *e)
{
    return manager_start(context->userdata, e);
}

static void stop(void *userdata)
{
    manager_free(userdata);
}

static const struct service service = {
    .name = "rpc-gateway",
    .interface = &gateway_interface,
    .handlers = gateway_handlers,
    .before_jail = before_jail,
    .start = start,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
