/* Implements inspect.h. */
#include "container-driver/docker/inspect.h"

#include <errno.h>

#include "container-driver/docker/limits.h"
#include "container-driver/docker/network.h"
#include "container-driver/lxcfs.h"
#include "container-driver/name.h"
#include "container-driver/owner.h"
#include "container-driver/reading.h"
#include "container-driver/runtime.h"
#include "container-driver/spec.h"
#include "lib/app/host_port.h"
#include "lib/config/config.h"
#include "lib/config/value.h"
#include "lib/schema/object.h"

static const struct {
    const char *docker;
    enum driver_state state;
} states[] = {
    {"created", DRIVER_CREATED},   {"running", DRIVER_RUNNING},
    {"paused", DRIVER_PAUSED},     {"restarting", DRIVER_RESTARTING},
    {"removing", DRIVER_REMOVING}, {"exited", DRIVER_EXITED},
    {"dead", DRIVER_DEAD},
};

/* Returns DRIVER_MISSING for a word that is not one of Docker's states. */
static enum driver_state find_state(const char *status)
{
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (streq(states[i].docker, status))
            return states[i].state;
    return DRIVER_MISSING;
}

static int read_state(struct reading *r, json_t *answer)
{
    const char *status = need_string(r, answer, "State/Status");
    enum driver_state state = find_state(status);
    if (state != DRIVER_MISSING)
        return (int)state;
    _cleanup_free_ char *clean = clean_text(status, 40);
    if (r->r == 0)
        r->r = error_fail(r->error, EPROTO, "%s makes no sense: unknown state '%s'", r->what, clean);
    return DRIVER_MISSING;
}

/* Returns the address of a binding in its normal form. Without one, the engine binds all addresses of both
 * families, which counts as all IPv4 addresses. The caller frees it. */
static char *read_address(struct reading *r, json_t *binding)
{
    const char *text = read_string(r, binding, "HostIp");
    struct app_service_port b = {.host_address = xstrdup_null(text), .host_port = 1};
    host_binding_normalise(&b);
    return b.host_address;
}

/* Reads the published ports from {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}; ignores protocols other
 * than TCP and UDP. */
static void read_ports(struct reading *r, json_t *answer, struct driver_container *c)
{
    const char *key;
    json_t *list, *binding;
    size_t i;
    json_object_foreach(read_object(r, answer, "HostConfig/PortBindings"), key, list)
    {
        const char *slash = strchr(key, '/');
        int protocol = slash ? schema_enum_value(&app_protocol_enum, slash + 1) : -1;
        if (protocol < 0)
            continue;
        _cleanup_free_ char *number = xstrndup(key, (size_t)(slash - key));
        int64_t port, host_port;
        if (parse_int64(number, 1, 65535, &port) < 0)
            continue;
        json_array_foreach(list, i, binding)
        {
            const char *text = read_string(r, binding, "HostPort");
            if (!text || parse_int64(text, 1, 65535, &host_port) < 0)
                continue;
            struct driver_port *p = schema_append(&c->ports, &c->n_ports, sizeof *p);
            *p = (struct driver_port){.port = port,
                                      .host_port = host_port,
                                      .protocol =
                                          protocol == APP_PROTOCOL_UDP ? protocol : APP_PROTOCOL_ABSENT,
                                      .host_address = read_address(r, binding)};
        }
    }
}

static void read_limits(struct reading *r, json_t *answer, struct driver_container *c)
{
    int64_t nano = read_integer(r, answer, "HostConfig/NanoCpus");
    int64_t quota = read_integer(r, answer, "HostConfig/CpuQuota");
    int64_t period = read_integer(r, answer, "HostConfig/CpuPeriod");
    int64_t memory = read_integer(r, answer, "HostConfig/Memory");
    int64_t pids = read_integer(r, answer, "HostConfig/PidsLimit");
    c->cpu_limit_lost = nano > 0 && quota < 0; /* Docker prefers the quota at each start (limits.h) */
    if (nano > 0)
        c->cpu_limit = c->cpu_limit_lost ? 0 : nano / 1000000;
    else if (quota > 0 && quota < INT64_MAX / 1000)
        c->cpu_limit = quota * 1000 / (period > 0 ? period : 100000);
    c->memory_limit = memory > 0 && memory < DOCKER_NO_MEMORY ? memory : 0;
    c->pids_limit = pids > 0 ? pids : 0;
}

static struct owner_labels owner_labels_of(struct reading *r, json_t *answer)
{
    json_t *labels = read_object(r, answer, "Config/Labels");
    return (struct owner_labels){.tree = read_string(r, labels, LABEL_TREE),
                                 .app_name = read_string(r, labels, LABEL_NAME),
                                 .app_rep_id = read_string(r, labels, LABEL_REPLICA)};
}

static void read_labels(struct reading *r, json_t *answer, const char *tree_id, struct driver_container *c)
{
    json_t *labels = read_object(r, answer, "Config/Labels");
    const char *revision = read_string(r, labels, LABEL_REVISION);
    const struct owner_labels owner = owner_labels_of(r, answer);
    c->config = xstrdup_null(read_string(r, labels, LABEL_CONFIG));
    if (!revision || parse_int64(revision, 0, INT64_MAX, &c->revision) < 0)
        c->revision = 0;
    owner_set(c, tree_id, &owner);
}

/* Reads the address in the zone's network. A container that does not run has only its configured address. */
static void read_network(struct reading *r, json_t *answer, struct driver_container *c)
{
    json_t *network = read_object(r, answer, "NetworkSettings/Networks/" VPC_NETWORK);
    const char *configured = read_string(r, network, "IPAMConfig/IPv4Address"),
               *address = read_string(r, network, "IPAddress");
    const char *known = configured && *configured ? configured : address;
    c->vpc_ipv4 = known && *known ? xstrdup(known) : NULL;
}

/* Reports whether a volume has a name that Docker chose: 64 hexadecimal digits. */
static bool is_anonymous(const char *name)
{
    return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

static void add_anonymous(struct driver_container *c, const char *path, const char *name)
{
    struct driver_volume *v = schema_append(&c->anonymous_volumes, &c->n_anonymous_volumes, sizeof *v);
    v->path = xstrdup(path);
    v->name = xstrdup(name);
}

/* Reads lxcfs, the directory at /home and the volumes. Volumes of other names are of other programs, and
 * Docker does not remove them with the container. */
static void read_mounts(struct reading *r, json_t *answer, const char *tree_id, struct driver_container *c)
{
    size_t i;
    json_t *mount;
    _cleanup_free_ char *own = volume_name_prefix(tree_id, c->instance, c->replica_id);
    json_array_foreach(read_array(r, answer, "Mounts"), i, mount)
    {
        const char *type = read_string(r, mount, "Type") ?: "", *name = read_string(r, mount, "Name") ?: "",
                   *at = read_string(r, mount, "Destination") ?: "",
                   *source = read_string(r, mount, "Source");
        c->lxcfs |= streq(at, "/proc/meminfo");
        c->agent_socket |= streq(at, AGENT_SOCKET_DIRECTORY);
        if (streq(at, "/home") && source && *source)
            set_string(&c->home, source);
        if (!streq(type, "volume") || !*at)
            continue;
        /* The destination of an image's relative VOLUME is shown as it is declared, and mounted below "/". */
        _cleanup_free_ char *path = xasprintf("%s%s", *at == '/' ? "" : "/", at);
        if (after_prefix(name, own))
            schema_append_string(&c->volumes, &c->n_volumes, path);
        else if (is_anonymous(name))
            add_anonymous(c, path, name);
    }
}

int docker_read_container(json_t *answer, const char *tree_id, bool by_labels, struct driver_container **ret,
                          struct error *e)
{
    struct reading r = {.what = "Docker's description of a container", .error = e};
    _cleanup_driver_container_ struct driver_container *c = xcalloc(1, sizeof *c);
    const char *name = need_string(&r, answer, "Name");
    const struct owner_labels labels = owner_labels_of(&r, answer);
    c->name = xstrdup(*name == '/' ? name + 1 : name);
    if (!owner_find_replica(c, &labels, by_labels) && r.r == 0) {
        *ret = NULL;
        return 0;
    }
    c->id = xstrdup(need_string(&r, answer, "Id"));
    c->image = xstrdup_null(read_string(&r, answer, "Config/Image"));
    c->image_id = xstrdup_null(read_string(&r, answer, "Image"));
    c->state = read_state(&r, answer);
    c->exit_code = read_integer(&r, answer, "State/ExitCode");
    c->oom_killed = read_bool(&r, answer, "State/OOMKilled");
    const char *error = read_string(&r, answer, "State/Error");
    c->error = error && *error ? clean_text(error, 500) : NULL;
    c->started_at = read_time(&r, answer, "State/StartedAt");
    c->finished_at = read_time(&r, answer, "State/FinishedAt");
    c->restart_count = read_integer(&r, answer, "RestartCount");
    const char *policy = read_string(&r, answer, "HostConfig/RestartPolicy/Name") ?: "";
    c->restart = streq(policy, "always") || streq(policy, "unless-stopped") ? DRIVER_RESTART_ALWAYS
                                                                            : DRIVER_RESTART_NO;
    read_limits(&r, answer, c);
    const char *layer = read_string(&r, answer, "HostConfig/StorageOpt/size");
    if (layer && parse_size(layer, &c->layer_limit) < 0)
        c->layer_limit = 0;
    int64_t stop_timeout = read_integer(&r, answer, "Config/StopTimeout");
    c->stop_timeout_msec = stop_timeout > 0 && stop_timeout < INT32_MAX ? stop_timeout * 1000 : 0;
    read_ports(&r, answer, c);
    read_network(&r, answer, c);
    read_mounts(&r, answer, tree_id, c);
    read_labels(&r, answer, tree_id, c);
    if (r.r < 0)
        return r.r;
    *ret = TAKE_PTR(c);
    return 0;
}

struct driver_container *docker_read_misnamed(struct reading *r, json_t *item)
{
    _cleanup_driver_container_ struct driver_container *c = xcalloc(1, sizeof *c);
    json_t *names = read_array(r, item, "Names"), *labels = read_object(r, item, "Labels"), *one;
    size_t i;
    const char *name = json_string_value(json_array_get(names, 0)) ?: "",
               *instance = read_string(r, labels, LABEL_NAME) ?: "",
               *replica = read_string(r, labels, LABEL_REPLICA) ?: "",
               *tree = read_string(r, labels, LABEL_TREE);
    c->id = xstrdup(need_string(r, item, "Id"));
    const char *state = need_string(r, item, "State");
    if (r->r < 0 || tree)
        return NULL;
    /* A container has further names where others are linked to it. */
    json_array_foreach(names, i, one)
    {
        if (container_name_parse(json_string_value(one) ?: "", &c->instance, &c->replica_id, &c->slot))
            return NULL;
    }
    c->name = clean_text(*name == '/' ? name + 1 : name, 128);
    c->instance = clean_text(instance, 64);
    _cleanup_free_ char *id = clean_text(replica, 64);
    c->state = find_state(state);
    c->misfit =
        xasprintf("its name does not fit its labels, app_name '%s' and app_rep_id '%s'", c->instance, id);
    return TAKE_PTR(c);
}

int docker_read_image(json_t *answer, struct driver_image **ret, struct error *e)
{
    struct reading r = {.what = "Docker's description of an image", .error = e};
    _cleanup_driver_image_ struct driver_image *i = xcalloc(1, sizeof *i);
    const char *path;
    json_t *ignored;
    i->id = xstrdup(need_string(&r, answer, "Id"));
    read_strings(&r, answer, "RepoTags", &i->tags, &i->n_tags);
    read_strings(&r, answer, "RepoDigests", &i->digests, &i->n_digests);
    i->size = read_integer(&r, answer, "Size");
    const char *user = read_string(&r, answer, "Config/User");
    i->user = user && *user ? xstrdup(user) : NULL;
    read_strings(&r, answer, "Config/Entrypoint", &i->entrypoint, &i->n_entrypoint);
    read_strings(&r, answer, "Config/Cmd", &i->command, &i->n_command);
    json_object_foreach(read_object(&r, answer, "Config/Volumes"), path, ignored)
        schema_append_string(&i->volumes, &i->n_volumes, path);
    if (r.r < 0)
        return r.r;
    *ret = TAKE_PTR(i);
    return 0;
}

/* Returns the name of an architecture that packages use; the caller frees. */
static char *architecture(const char *machine)
{
    if (streq(machine, "x86_64"))
        return xstrdup("amd64");
    return xstrdup(streq(machine, "aarch64") ? "arm64" : machine);
}

/* Reports whether Docker can possibly limit writable layers. overlay2 requires xfs with the mount option
 * pquota, and Docker does not report the option. */
static bool may_limit_layers(struct reading *r, json_t *answer, const char *driver)
{
    size_t i;
    json_t *pair;
    if (streq(driver, "btrfs") || streq(driver, "zfs") || streq(driver, "devicemapper"))
        return true;
    json_array_foreach(read_array(r, answer, "DriverStatus"), i, pair)
    {
        const char *key = json_string_value(json_array_get(pair, 0)),
                   *value = json_string_value(json_array_get(pair, 1));
        if (key && value && streq(key, "Backing Filesystem"))
            return streq(driver, "overlay2") && streq(value, "xfs");
    }
    return false;
}

bool docker_read_podman(json_t *version)
{
    size_t i;
    json_t *component;
    json_array_foreach(json_object_get(version, "Components"), i, component)
    {
        const char *name = json_string_value(json_object_get(component, "Name"));
        if (name && strcasestr(name, "podman"))
            return true;
    }
    return false;
}

bool docker_read_seccomp(json_t *info)
{
    size_t i;
    json_t *option;
    json_array_foreach(json_object_get(info, "SecurityOptions"), i, option)
    {
        const char *text = json_string_value(option), *name = text ? after_prefix(text, "name=") ?: text : "";
        const char *rest = after_prefix(name, "seccomp");
        if (rest && (!*rest || *rest == ','))
            return true;
    }
    return false;
}

int docker_read_info(json_t *answer, struct driver_info_out *info, struct error *e)
{
    struct reading r = {.what = "Docker's response to GET /info", .error = e};
    const char *version = read_string(&r, answer, "ServerVersion"),
               *driver = read_string(&r, answer, "Driver");
    const char *machine = read_string(&r, answer, "Architecture");
    int64_t cpus = read_integer(&r, answer, "NCPU"), memory = read_integer(&r, answer, "MemTotal");
    int64_t containers = read_integer(&r, answer, "Containers"), images = read_integer(&r, answer, "Images");
    bool live_restore = read_bool(&r, answer, "LiveRestoreEnabled");
    bool layer_limit = may_limit_layers(&r, answer, driver ?: "");
    if (r.r < 0)
        return r.r;
    info->version = xstrdup_null(version);
    info->storage_driver = xstrdup_null(driver);
    info->arch = machine ? architecture(machine) : NULL;
    info->cpus = cpus;
    info->memory = memory;
    info->containers = containers;
    info->images = images;
    info->live_restore = live_restore;
    info->layer_limit = layer_limit;
    return 0;
}
