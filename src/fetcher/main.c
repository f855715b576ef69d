/* fetcher: downloads packages from repositories into the package store.
 *
 * Job: finds the best package for a name and a version rule in the configured repositories, and downloads it
 * to VAR/ipk/NAME/ID.ipk. It resumes interrupted downloads, verifies the file, and renames it only when it is
 * complete. hostletd starts the process on demand. Privileges: own user, no capability; with network. It owns
 * VAR/ipk and VAR/hostlet/fetcher and writes nothing else. Failures: it can be killed at any point: the
 * received bytes are kept together with the facts of their file, and the next request resumes there. Requests
 * to a server that is unavailable are retried with growing pauses, until the call fails with an error of
 * class "retry". */
#include "fetcher/manager.h"
#include "fetcher/methods.h"
#include "lib/service/service.h"

static const char *const failpoints[] = {
    "fetch.partial_opened", /* the partial file exists, perhaps empty */
    "fetch.begun",          /* it was emptied, and its facts are written */
    "fetch.bytes",          /* some bytes were written */
    "fetch.received",       /* all bytes were written */
    "fetch.verified",       /* the file is the package */
    "fetch.synced",         /* it is synced to the disk */
    "fetch.renamed",        /* it has its final name, and the directory is not synced yet */
    "index.cached",         /* an index was written into the cache */
    "remove.unlinked",      /* a package was removed, and its directory is not synced yet */
    NULL,
};

/* Read before the jail, because the file may belong to root. */
static struct credentials *credentials;

static int read_credentials(struct service_context *context, struct error *e)
{
    const char *path = config_string(context->config, "fetcher", "credentials");
    return *path ? credentials_read(path, context->conf->uid, &credentials, e) : 0;
}

static int check(struct service_context *context, struct error *e)
{
    credentials_free(credentials);
    credentials = NULL;
    return manager_check(context->config, e);
}

static int before_jail(struct service_context *context, struct error *e)
{
    int r = read_credentials(context, e);
    return r < 0 ? r : store_prepare(&context->tree, service_uid(context), service_gid(context), e);
}

static int start(struct service_context *context, struct error *e)
{
    struct manager *manager = NULL;
    int r = manager_new(context->event, &context->tree, context->config, &context->wall, &credentials,
                        &manager, e);
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
    .check_as_root = read_credentials,
    .check = check,
    .before_jail = before_jail,
    .start = start,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
