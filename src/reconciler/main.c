/* reconciler: desired state against actual state; the only process that decides.
 *
 * Job: keeps what is to be on this machine, looks at what is, and has the workers do the next step until both
 * agree. Privileges: own user, no capability. Calls all workers; called by administrators. Failures: a worker
 * that dies is called again; a step that fails is tried again with backoff; a switch that fails is undone and
 * said. Killed between any two steps it goes on from what the runtime shows and its files say. A record that
 *   cannot be read costs its own instance alone, which is shown until a human has looked (unreadable.h).
 * State: VAR/hostlet/reconciler/instances/NAME.json, one per instance; host_id. */
#include "lib/service/service.h"
#include "reconciler/engine/steps.h"
#include "reconciler/face/methods.h"
#include "reconciler/manager.h"

static int start(struct service_context *context, struct error *e)
{
    struct manager *m = NULL;
    int r = manager_new(context, &m, e);
    if (r >= 0)
        context->userdata = m;
    return r;
}

static void stop(void *userdata)
{
    manager_free(userdata);
}

static const struct service_definition service = {
    .name = "reconciler",
    .interface = &reconciler_interface,
    .handlers = reconciler_handlers,
    .failpoints = reconciler_failpoints,
    .start = start,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
