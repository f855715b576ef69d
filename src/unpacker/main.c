/* unpacker: unpacks verified package files into staging.
 *
 * Job: reads VAR/ipk/{name}/{id}.ipk, which the fetcher wrote, checks its SHA-256, unpacks it and renames the
 * result to VAR/ipk_install/.staging/{key}, which therefore exists only when it is complete. The provisioner
 * publishes it from there: containers get no file that the unpacker's user owns. Privileges: own user, no
 * capability, no network; writes only below VAR/ipk_install/.staging. The reconciler calls it. Failures: a
 * damaged package is refused with an error that names the entry, and leaves nothing. A kill at any point
 * leaves a hidden directory in staging, which the next start removes. A full disk is an error of class
 * "retry". Requests are idempotent: for a package that is unpacked already they succeed at once. */
#include <unistd.h>

#include "lib/api/unpacker.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/service/service.h"
#include "unpacker/extract.h"
#include "unpacker/manager.h"
#include "unpacker/methods.h"

/* Makes the staging directory for the unpacker's user. It runs as root, because the directory above belongs
 * to root. */
static int make_staging(struct service_context *c, struct error *e)
{
    int r = give_dir_below(c->tree.var, "ipk_install", geteuid(), getegid(), 0755, e);
    return r < 0 ? r
                 : give_dir_below(c->tree.var, "ipk_install/" IPK_STAGING, service_uid(c), service_gid(c),
                                  0700, e);
}

static int start(struct service_context *c, struct error *e)
{
    _cleanup_free_ char *packages = tree_ipk(&c->tree), *store = tree_ipk_install(&c->tree);
    struct manager_options options = {
        .packages = packages,
        .store = store,
        .limits = PACKAGE_LIMITS_DEFAULT,
        .threads = (unsigned)config_number(c->config, "unpacker", "threads"),
    };
    options.limits.size = (uint64_t)config_number(c->config, "unpacker", "max_size");
    options.limits.entries = (uint64_t)config_number(c->config, "unpacker", "max_entries");
    options.limits.path = (uint64_t)config_number(c->config, "unpacker", "max_path");
    options.limits.ratio = (uint64_t)config_number(c->config, "unpacker", "max_ratio");
    options.limits.free_space = (uint64_t)config_number(c->config, "unpacker", "keep_free");
    options.limits.free_files = (uint64_t)config_number(c->config, "unpacker", "keep_free_inodes");
    struct manager *m = NULL;
    int r = manager_new(c->event, &options, &m, e);
    if (r < 0)
        return r;
    c->userdata = m;
    return 0;
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
    .name = "unpacker",
    .interface = &unpacker_interface,
    .handlers = unpacker_handlers,
    .failpoints = unpacker_failpoints,
    .before_jail = make_staging,
    .start = start,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
