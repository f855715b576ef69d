/* fetcher: brings packages from repositories into the package store.
 *
 * Job: finds the best package for a name and a version rule in the configured repositories, and downloads it
 * into VAR/ipk/NAME/ID.ipk: resumed after whatever interrupts it, verified, moved into place whole. Started
 * on demand. Privileges: own user, no capability; the network. It owns VAR/ipk and VAR/hostlet/fetcher and
 * writes nothing else. Failures: it may be killed at any instant: what came is kept with what it is a part
 * of, and the next request goes on from there. A server in trouble is asked again, with growing pauses, until
 * the request fails with "retry later". */
#include "fetcher/manager.h"
#include "fetcher/methods.h"
#include "lib/service/service.h"

static const char *const failpoints[] = {
    "fetch.partial_opened", /* the partial file is there, perhaps empty */
    "fetch.begun",          /* it was emptied, and what it is a part of is written */
    "fetch.bytes",          /* a piece was written */
    "fetch.received",       /* all of it was */
    "fetch.verified",       /* and is right */
    "fetch.synced",         /* and on the disk */
    "fetch.renamed",        /* and in its place, whose directory is not synced yet */
    "index.cached",         /* an index was written into the cache */
    "remove.unlinked",      /* a package was removed, its directory not synced yet */
    NULL,
};

static struct credentials *credentials; /* read before the jail, since they may be root's */

static int before_jail(struct service_context *context, struct error *e)
{
    const char *path = config_string(context->config, "fetcher", "credentials");
    int r = *path ? credentials_read(path, context->conf->uid, &credentials, e) : 0;
    return r < 0 ? r : store_prepare(&context->tree, service_uid(context), service_gid(context), e);
}

static int start(struct service_context *context, struct error *e)
{
    struct manager *manager = NULL;
    int r = manager_new(context->event, &context->tree, context->config, &credentials, &manager, e);
    if (r >= 0)
        context->userdata = manager;
    return r;
}

static bool busy(void *userdata)
{
    return manager_busy(userdata);
}

static void stop(void *userdata)
{
    manager_free(userdata);
}

static const struct service_definition service = {
    .name = "fetcher",
    .interface = &fetcher_interface,
    .handlers = fetcher_handlers,
    .failpoints = failpoints,
    .before_jail = before_jail,
    .start = start,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
