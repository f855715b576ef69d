/* Runs container-driver, which manages the containers of replicas in one container runtime.
 *
 * Job: it serves io.hostlet.ContainerDriver, with Docker's Engine API over Docker's Unix socket, or with the
 * null runtime, which runs nothing.
 *
 * Privileges: it has its own user and the group of Docker's socket. The group is as powerful as root;
 * therefore callers name replicas and never paths or settings. It has no capability. It stays in the
 * machine's network namespace, because Docker's socket can be at any path and because it reads the machine's
 * addresses and routes.
 *
 * Failures: When Docker does not run, does not respond or sends malformed data, requests fail with "retry
 * later" within a bounded time, Info returns the reason, and the driver opens the event stream again. A kill
 * loses nothing, because the driver stores nothing but the adoption ledger; callers repeat calls without a
 * reply.
 *
 * Manual: container-driver(8). */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "container-driver/docker/docker.h"
#include "container-driver/manager.h"
#include "container-driver/methods_container.h"
#include "container-driver/methods_create.h"
#include "container-driver/methods_image.h"
#include "container-driver/methods_limits.h"
#include "container-driver/methods_logs.h"
#include "container-driver/methods_volumes.h"
#include "container-driver/methods_watch.h"
#include "container-driver/null/null.h"
#include "container-driver/socket_group.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

static const struct varlink_handlers handlers[] = {
    {"Info", method_info},
    {"CheckNetwork", method_check_network},
    {"ImageInspect", method_image_inspect},
    {"ImageList", method_image_list},
    {"ImagePull", method_image_pull},
    {"List", method_list},
    {"ListMisnamed", method_list_misnamed},
    {"Inspect", method_inspect},
    {"Create", method_create},
    {"Start", method_start},
    {"Stop", method_stop},
    {"Rename", method_rename},
    {"Remove", method_remove},
    {"CopyVolumes", method_copy_volumes},
    {"RemoveVolumes", method_remove_volumes},
    {"SetRestart", method_set_restart},
    {"SetLimits", method_set_limits},
    {"Usage", method_usage},
    {"Adopt", method_adopt},
    {"Logs", method_logs},
    {"Tail", method_tail},
    {"Watch", method_watch},
    {NULL, NULL},
};

static const char *const failpoints[] = {
    "driver.before_create",
    "driver.after_create",
    "driver.before_start",
    "driver.after_start",
    "driver.before_stop",
    "driver.after_stop",
    "driver.before_rename",
    "driver.after_rename",
    "driver.before_remove",
    "driver.after_remove",
    "driver.before_copy_volumes",
    "driver.after_copy_volumes",
    "driver.before_remove_volumes",
    "driver.after_remove_volumes",
    "driver.before_set_restart",
    "driver.after_set_restart",
    "driver.before_set_limits",
    "driver.after_set_limits",
    "adopted.before_save",
    "adopted.saved",
    NULL,
};

static bool was_root;

static bool null_is_configured(const struct service_context *c)
{
    return streq(config_string(c->config, "container-driver", "runtime"), "null");
}

static char *null_directory(const struct service_context *c)
{
    _cleanup_free_ char *state = tree_state(&c->tree, "container-driver");
    return xasprintf("%s/null", state);
}

/* Adds the group that may connect to Docker's socket to the process's groups: the group of the socket, or,
 * while the socket does not exist, the group "docker". */
static void take_docker_group(struct service_context *c)
{
    const char *path = config_string(c->config, "container-driver", "docker_socket");
    struct error e = ERROR_INIT;
    struct group *group;
    gid_t gid;
    int r = socket_group(path, &gid, &e);
    if (r >= 0) {
        c->extra_groups[c->n_extra_groups++] = gid;
    } else if (r == -EPERM) {
        log_warning("%s: container-driver does not get the socket's group", e.message);
    } else if ((group = getgrnam("docker"))) {
        c->extra_groups[c->n_extra_groups++] = group->gr_gid;
    } else {
        log_notice("neither '%s' nor a group 'docker' exists yet: container-driver gets the socket's group "
                   "when it restarts",
                   path);
    }
}

static int before_jail(struct service_context *c, struct error *e)
{
    was_root = geteuid() == 0;
    if (!null_is_configured(c)) {
        take_docker_group(c);
        return 0;
    }
    return give_dir_below(c->tree.var, "hostlet/container-driver/null", service_uid(c), service_gid(c), 0700,
                          e);
}

static int check(struct service_context *c, struct error *e)
{
    return settings_check(c->config, e);
}

static void stop(void *userdata)
{
    struct manager *m = userdata;
    relays_close(m);
    runtime_free(m->runtime);
    settings_done(&m->settings);
    free(m);
}

static int start(struct service_context *c, struct error *e)
{
    struct manager *m = xcalloc(1, sizeof *m);
    c->userdata = m;
    m->event = c->event;
    int r = settings_read(&c->tree, c->config, &m->settings, e);
    if (r < 0)
        return r;
    m->settings.was_root = was_root;
    if (null_is_configured(c)) {
        _cleanup_free_ char *directory = null_directory(c);
        r = null_new(c->event, &m->settings, directory, &m->runtime, e);
    } else {
        r = docker_new(c->event, &m->settings, &m->runtime, e);
    }
    if (r < 0)
        return r;
    m->runtime->on_event = watch_event;
    m->runtime->on_flow = watch_flow;
    m->runtime->watch_userdata = m;
    return 0;
}

int main(int argc, char **argv)
{
    static const struct service_definition service = {
        .name = "container-driver",
        .interface = &container_driver_interface,
        .handlers = handlers,
        .failpoints = failpoints,
        .check = check,
        .before_jail = before_jail,
        .start = start,
        .stop = stop,
    };
    return service_main(&service, argc, argv);
}
