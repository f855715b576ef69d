/* Implements replica.h.
 *
 *   CONTAINER            root 0700: the host's users cannot reach setuid files that a container's root makes;
 *                        no tenant can rename its entries
 *     opt                2048, bound to /opt
 *     home               root, bound to /home
 *       action           2048: from here on the tenant can swap everything
 *         .innerstack    root, group 2048, 0750
 *           app_replica.json, ininit, inagent, task_request.json
 *     volumes            root 0700
 *       KEY              the container's, bound to the path of the volume
 *
 * A container without an agent has volumes alone. */
#include "provisioner/replica.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "provisioner/tenant.h"
#include "provisioner/volumes.h"

#define ACTION       2048 /* user and group of the application in the container */
#define ATTEMPTS     20
#define PROGRAM_MAX  ((size_t)64 << 20) /* bytes */
#define OURS_IN_HOME "home/action/.innerstack"

#define MODE(u, g, m, ...)                                                                                   \
    {                                                                                                        \
        .uid = u, .gid = g, .mode = m, __VA_ARGS__                                                           \
    }

static const struct tenant_mode container_mode = MODE(0, 0, 0700, .ours = true);
static const struct tenant_mode opt_mode = MODE(ACTION, ACTION, 0755);
static const struct tenant_mode home_mode = MODE(0, 0, 0755, .ours = true);
static const struct tenant_mode action_mode = MODE(ACTION, ACTION, 0755, .replace = true);
static const struct tenant_mode innerstack_mode = MODE(0, ACTION, 0750, .ours = true, .replace = true);
static const struct tenant_mode json_mode = MODE(0, ACTION, 0640);
static const struct tenant_mode program_mode = MODE(0, 0, 0755);

struct directories {
    int opt, home, action, innerstack;
    bool made;
};

static void directories_clear(struct directories *d)
{
    close_fd(d->opt);
    close_fd(d->home);
    close_fd(d->action);
    close_fd(d->innerstack);
}

static int open_directories(struct tenant *t, int container, struct directories *d, struct error *e)
{
    d->opt = tenant_directory(t, container, "opt", &opt_mode, &d->made, e);
    if (d->opt < 0)
        return d->opt;
    d->home = tenant_directory(t, container, "home", &home_mode, &d->made, e);
    if (d->home < 0)
        return d->home;
    d->action = tenant_directory(t, d->home, "action", &action_mode, &d->made, e);
    if (d->action < 0)
        return d->action;
    d->innerstack = tenant_directory(t, d->action, ".innerstack", &innerstack_mode, &d->made, e);
    return d->innerstack < 0 ? d->innerstack : 0;
}

struct file_source {
    const char *name, *data;
    size_t size;
    const struct tenant_mode *mode;
};

static int sync_directories(int container, const struct directories *d, bool files, struct error *e)
{
    const int fds[] = {d->innerstack, d->action, d->home, d->opt, container};
    size_t n = d->made ? ARRAY_SIZE(fds) : files ? 1 : 0;
    for (size_t i = 0; i < n; i++)
        if (fsync(fds[i]) < 0)
            return error_os(e, errno, "cannot sync the replica's directories");
    return 0;
}

/* Writes all files under temporary names before the first gets its final name, so that a full disk changes
 * nothing. */
static int write_files(struct tenant *t, int container, const struct directories *d,
                       const struct file_source *sources, size_t n, struct tenant_file *files,
                       struct error *e)
{
    int r = 0;
    bool changed = false;
    for (size_t i = 0; i < n && r >= 0; i++) {
        r = tenant_file_stage(t, d->innerstack, sources[i].name, sources[i].data, sources[i].size,
                              sources[i].mode, &files[i], e);
        changed |= files[i].fd >= 0;
    }
    if (r >= 0)
        r = failpoint_error("files.staged", e);
    for (size_t i = 0; i < n && r >= 0; i++)
        r = tenant_file_sync(&files[i], e);
    for (size_t i = 0; i < n && r >= 0; i++) {
        r = tenant_file_publish(&files[i], e);
        if (r >= 0)
            r = failpoint_error("files.published", e);
    }
    if (r >= 0)
        r = sync_directories(container, d, changed, e);
    if (r < 0)
        return r;
    /* The tenant can have put another directory in the place of the one in which the files were written. */
    for (size_t i = 0; i < n; i++)
        if (!tenant_file_in_place(&files[i]))
            return TENANT_SWAPPED;
    return tenant_same(container, OURS_IN_HOME, d->innerstack) ? 0 : TENANT_SWAPPED;
}

/* Attempts once to make and fill everything below the container's directory. Returns TENANT_SWAPPED if the
 * tenant changed something meanwhile. */
static int fill_once(struct tenant *t, int container, const struct file_source *sources, size_t n,
                     struct error *e)
{
    struct tenant_file files[3] = {TENANT_FILE_INIT, TENANT_FILE_INIT, TENANT_FILE_INIT};
    _cleanup_(directories_clear) struct directories d = {-1, -1, -1, -1, false};
    int r = open_directories(t, container, &d, e);
    if (r >= 0)
        r = failpoint_error("directories.made", e);
    if (r >= 0)
        r = write_files(t, container, &d, sources, n, files, e);
    for (size_t i = 0; i < n; i++)
        tenant_file_clear(&files[i]);
    return r;
}

static int fill_with(struct tenant *t, int container, const struct file_source *sources, size_t n,
                     struct error *e)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        int r = fill_once(t, container, sources, n, e);
        if (r != TENANT_SWAPPED)
            return r;
    }
    return error_retry(e, EAGAIN, "'" OURS_IN_HOME "' is changed by the application all the time");
}

/* Reads a program, whose path the administrator can have built of symlinks. */
static int read_program(const char *path, char **ret, size_t *ret_size, struct error *e)
{
    _cleanup_free_ char *real = realpath(path, NULL);
    if (!real)
        return error_os(e, errno, "cannot open '%s', which every container needs", path);
    return read_file_at(AT_FDCWD, real, PROGRAM_MAX, ret, ret_size, e);
}

static int fill_with_files(struct tenant *t, int container, const struct replica_content *content,
                           struct error *e)
{
    _cleanup_free_ char *ininit = NULL, *inagent = NULL;
    struct file_source sources[3] = {
        {"app_replica.json", content->json, strlen(content->json), &json_mode},
        {"ininit", NULL, 0, &program_mode},
        {"inagent", NULL, 0, &program_mode},
    };
    size_t n = content->ininit ? 3 : 1;
    int r = n < 3 ? 0 : read_program(content->ininit, &ininit, &sources[1].size, e);
    if (r >= 0 && n == 3)
        r = read_program(content->inagent, &inagent, &sources[2].size, e);
    sources[1].data = ininit;
    sources[2].data = inagent;
    return r < 0 ? r : fill_with(t, container, sources, n, e);
}

static int fill(struct tenant *t, int container, const struct replica_content *content, struct error *e)
{
    int r = content->json ? fill_with_files(t, container, content, e) : 0;
    if (r < 0)
        return r;
    return volumes_make(t, container, content->volumes, content->n_volumes, content->json ? ACTION : 0, e);
}

/* Opens the directory CONTAINER, or the one that will become it. */
static int open_container(struct tenant *t, const char *name, struct error *e)
{
    bool made = false;
    return tenant_directory(t, t->apps, name, &container_mode, &made, e);
}

/* Fills the directory 'name' and then renames it to the container's name. It gets this name only when it
 * is complete, so that what a killed process leaves is never used as a replica's directory. */
static int fill_and_publish(struct tenant *t, const char *name, const struct replica_content *content,
                            struct error *e)
{
    _cleanup_close_ int fd = open_container(t, name, e);
    if (fd < 0)
        return fd;
    int r = failpoint_error("provision.opened", e);
    if (r >= 0)
        r = fill(t, fd, content, e);
    if (r >= 0)
        r = failpoint_error("provision.filled", e);
    if (r < 0 || streq(name, t->container))
        return r;
    if (renameat2(t->apps, name, t->apps, t->container, RENAME_NOREPLACE) < 0)
        return error_os(e, errno, "cannot rename '%s' to '%s'", name, t->container);
    r = failpoint_error("provision.published", e);
    return r < 0 ? r : app_path_sync(t->apps, e);
}

static int provision(struct tenant *t, const struct replica_content *content, bool *ret_restored,
                     struct error *e)
{
    int r = app_path_exists(t->apps, t->container, e);
    if (r < 0)
        return r;
    if (r > 0) {
        r = fill_and_publish(t, t->container, content, e);
        /* Syncs, because an earlier process can have been killed between its rename and its sync. */
        return r < 0 ? r : app_path_sync(t->apps, e);
    }
    _cleanup_free_ char *kept = NULL, *making = xasprintf(APP_PATH_MAKING "%s", t->container);
    r = app_path_newest_kept(t->apps, t->container, &kept, e);
    if (r < 0)
        return r;
    r = fill_and_publish(t, kept ?: making, content, e);
    if (r < 0 && !kept)
        /* The unfinished directory can fill a disk, so it is removed at once. If this fails, the next
         * start hides it. */
        (void)remove_tree_at(t->apps, making, NULL);
    if (r >= 0)
        *ret_restored = kept != NULL;
    return r;
}

int replica_provision(const char *app_path, const char *container, const struct replica_content *content,
                      struct replica_result *ret, struct error *e)
{
    bool restored = false;
    _cleanup_close_ int apps = app_path_open(app_path, e);
    struct tenant tenant = {.apps = apps, .container = container};
    int r = apps < 0 ? apps : provision(&tenant, content, &restored, e);
    *ret = (struct replica_result){restored, tenant.hidden};
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}

/* Opens the directory of an existing replica. Returns a descriptor, or −ENOENT (not found). */
static int open_existing(struct tenant *t, struct error *e)
{
    int r = t->apps < 0 ? t->apps : app_path_exists(t->apps, t->container, e);
    if (r == 0)
        r = error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no such replica");
    return r < 0 ? r : open_container(t, t->container, e);
}

int replica_update(const char *app_path, const char *container, const struct replica_content *content,
                   struct replica_result *ret, struct error *e)
{
    _cleanup_close_ int apps = app_path_open(app_path, e);
    struct tenant tenant = {.apps = apps, .container = container};
    _cleanup_close_ int fd = open_existing(&tenant, e);
    int r = fd < 0 ? fd : fill(&tenant, fd, content, e);
    *ret = (struct replica_result){false, tenant.hidden};
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}

int replica_request(const char *app_path, const char *container, const char *json, struct replica_result *ret,
                    struct error *e)
{
    const struct file_source source = {"task_request.json", json, strlen(json), &json_mode};
    _cleanup_close_ int apps = app_path_open(app_path, e);
    struct tenant tenant = {.apps = apps, .container = container};
    _cleanup_close_ int fd = open_existing(&tenant, e);
    int r = fd < 0 ? fd : fill_with(&tenant, fd, &source, 1, e);
    *ret = (struct replica_result){false, tenant.hidden};
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}

int replica_copy(const char *app_path, const char *container, enum volumes_copy act, char *const *paths,
                 size_t n, struct replica_result *ret, struct error *e)
{
    _cleanup_close_ int apps = app_path_open(app_path, e);
    struct tenant tenant = {.apps = apps, .container = container};
    _cleanup_close_ int fd = open_existing(&tenant, e);
    int r = fd < 0 ? fd : volumes_copy(&tenant, fd, act, paths, n, e);
    *ret = (struct replica_result){false, tenant.hidden};
    return r < 0 ? error_prefix(e, "%s", container) : 0;
}
