/* unpacker: from verified package files to install directories.
 *
 * Job: reads VAR/ipk/{name}/{id}.ipk (the fetcher's), checks its SHA-256, unpacks it into hidden staging and publishes it by
 *   rename as VAR/ipk_install/{name}/{id}, which therefore exists only when it is complete.
 * Privileges: own user, no capability, no network; writes below VAR/ipk_install alone. Called by the reconciler.
 * Failures: a bad package is refused, naming the entry, and leaves nothing. Killed at any instant it leaves hidden staging, which
 *   the next start removes. A full disk is "retry later". Requests are idempotent: what is installed is success at once. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/api/workers.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/service/service.h"
#include "unpacker/extract.h"
#include "unpacker/manager.h"
#include "unpacker/methods.h"

/* The store must be the unpacker's own, and lies in a directory that is not: made here, as root. */
static int make_store(struct service_context *c, struct error *e)
{
    _cleanup_free_ char *path = tree_ipk_install(&c->tree);
    int r = make_dirs(path, 0755, e);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot open '%s'", path);
#ifndef ENABLE_SANITIZERS /* that build has no jail: it goes on as it was started */
    if (geteuid() == 0 && st.st_uid != c->conf->uid && fchown(fd, c->conf->uid, c->conf->gid) < 0)
        return error_os(e, errno, "cannot change the owner of '%s'", path);
#endif
    return 0;
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

static const struct service service = {
    .name = "unpacker",
    .interface = &unpacker_interface,
    .handlers = unpacker_handlers,
    .failpoints = unpacker_failpoints,
    .before_jail = make_store,
    .start = start,
    .busy = busy,
    .stop = stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
