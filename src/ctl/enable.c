/* Implements enable.h. */
#include "ctl/enable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "ctl/call.h"
#include "lib/basic/fs.h"

#define READY_USEC  (30 * USEC_PER_SEC)
#define FILE_MAX    ((size_t)1 << 20)
#define READY_PAUSE (50 * 1000 * 1000) /* ns */

int read_config_with(const struct ctl *ctl, const char *name, const char *text, struct config **ret,
                     struct error *e)
{
    struct tree tree = {.prefix = NULL};
    int r = tree_init(&tree, ctl->tree.prefix, ctl->tree.services, ctl->tree.libexec, e);
    if (r >= 0)
        r = config_load_with(&tree, name, text, ret, e);
    tree_done(&tree);
    return r;
}

static void put_back(const char *path, const char *before)
{
    struct error e = ERROR_INIT;
    int r = before ? replace_file(path, before, strlen(before), 0644, &e) : 0;
    if (r < 0 || (!before && unlink(path) < 0))
        log_warning("'%s' cannot be put back: %s", path, r < 0 ? e.message : strerror(errno));
}

int use_config_part(const struct ctl *ctl, const char *name, const char *text, struct error *e)
{
    _cleanup_free_ char *directory = tree_config_dir(&ctl->tree), *path = xasprintf("%s/%s", directory, name),
                        *before = NULL;
    struct config *config = NULL;
    int r = read_config_with(ctl, name, text, &config, e);
    config_free(config);
    if (r >= 0)
        r = make_dirs(directory, 0755, e);
    if (r >= 0)
        r = read_file_at(AT_FDCWD, path, FILE_MAX, &before, NULL, e);
    if (r < 0 && r != -ENOENT)
        return r;
    r = replace_file(path, text, strlen(text), 0644, e);
    if (r < 0)
        return r;
    r = ctl_call(ctl, &ctl_supervisor, "Reload", NULL, NULL, CTL_TIMEOUT_USEC, e);
    /* Equal text is that of an earlier run, which ended before its reload. */
    if (r < 0 && (e->class == ERROR_REFUSED || e->class == ERROR_FAILED))
        put_back(path, streq_null(before, text) ? NULL : before);
    return r;
}

/* Reads the configuration, and the paths of the tree that follow from it. The caller releases both. */
static int load(const struct ctl *ctl, struct tree *tree, struct config **ret, struct error *e)
{
    int r = tree_init(tree, ctl->tree.prefix, ctl->tree.services, ctl->tree.libexec, e);
    return r < 0 ? r : config_load(tree, ret, e);
}

int zone_is_enabled(const struct ctl *ctl, bool *ret, struct error *e)
{
    struct tree tree = {.prefix = NULL};
    struct config *config = NULL;
    int r = load(ctl, &tree, &config, e);
    if (r >= 0)
        *ret = config_bool(config, "zone", "enable");
    config_free(config);
    tree_done(&tree);
    return r;
}

void warn_without_tls(const struct ctl *ctl)
{
    struct tree tree = {.prefix = NULL};
    struct config *config = NULL;
    struct error e = ERROR_INIT;
    if (load(ctl, &tree, &config, &e) >= 0 && !*config_string(config, "zone", "tls_certificate"))
        fputs("hostletctl: warning: gRPC with the zone is not encrypted: attackers on the network path can "
              "read and "
              "change it; if the zone supports TLS, set [zone] tls_certificate, tls_key and tls_ca\n",
              stderr);
    config_free(config);
    tree_done(&tree);
}

int configured_app_path(const struct ctl *ctl, char **ret, struct error *e)
{
    struct tree tree = {.prefix = NULL};
    struct config *config = NULL;
    int r = load(ctl, &tree, &config, e);
    if (r >= 0)
        *ret = xstrdup(tree.apps);
    config_free(config);
    tree_done(&tree);
    return r;
}

/* Repeats the call while rpc-gateway is not started: its socket does not exist then, or hostletd replies that
 * it is not enabled. */
int call_gateway(const struct ctl *ctl, const char *method, const void *in, void *out, struct error *e)
{
    const struct timespec pause = {.tv_nsec = READY_PAUSE};
    uint64_t deadline = now_monotonic_usec() + READY_USEC;
    for (;;) {
        int r = ctl_call(ctl, &ctl_gateway, method, in, out, CTL_TIMEOUT_USEC, e);
        bool starting =
            r < 0 && (e->class == ERROR_SERVICE_DOWN || e->class == ERROR_RETRY || e->errnum == ENOENT);
        if (!starting || now_monotonic_usec() > deadline)
            return r;
        *e = (struct error)ERROR_INIT;
        (void)nanosleep(&pause, NULL);
    }
}
