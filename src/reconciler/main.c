/* Runs the reconciler, which compares the desired state with the actual state; no other process decides.
 *
 * Job: stores the desired state, inspects the actual state, and calls the workers for one step after another
 * until both agree.
 * Privileges: a user of its own, no capability.
 * Calls: container-driver, fetcher, unpacker, provisioner, quota-keeper, net-keeper. Called by administrators
 * and rpc-gateway. Failures: a call whose worker was lost is repeated; a failed step is retried with backoff;
 * a failed switch is rolled back and shown. After a kill between any two steps, the next process continues
 * from the records and from what the runtime shows. A record that cannot be read affects its own instance
 * alone (model/unreadable.h). State: VAR/hostlet/reconciler: instances/NAME.json, one for each instance;
 * host_id; zone.json; secrets/. It also reads the directory of manifests, which root writes. */
#include "lib/service/service.h"
#include "reconciler/engine/steps.h"
#include "reconciler/face/directory.h"
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

static void reload(void *userdata)
{
    manager_reload(userdata);
}

static int check(struct service_context *context, struct error *e)
{
    return directory_check(context, e);
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
    .check = check,
    .start = start,
    .reload = reload,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
