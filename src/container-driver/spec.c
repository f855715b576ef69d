/* Implements spec.h. */
#include "container-driver/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "container-driver/lxcfs.h"
#include "container-driver/name.h"
#include "container-driver/zone_network.h"
#include "lib/app/reference.h"
#include "lib/app/volume.h"
#include "lib/schema/object.h"

#define PIDS_LIMIT_INAGENT        100 /* the contract's */
#define PIDS_LIMIT_IMAGE          1000
#define DEFAULT_STOP_TIMEOUT_MSEC 10000

static void free_labels(struct schema_pair *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(labels[i].key);
        free(labels[i].value);
    }
    free(labels);
}

void spec_done(struct spec *s)
{
    free(s->name);
    free(s->image);
    for (size_t i = 0; i < s->n_command; i++)
        free(s->command[i]);
    free(s->command);
    for (size_t i = 0; i < s->n_env; i++)
        free(s->env[i]);
    free(s->env);
    free_labels(s->labels, s->n_labels);
    for (size_t i = 0; i < s->n_mounts; i++) {
        free(s->mounts[i].source);
        free(s->mounts[i].target);
    }
    free(s->mounts);
    for (size_t i = 0; i < s->n_volumes; i++) {
        free(s->volumes[i].name);
        free(s->volumes[i].device);
        free(s->volumes[i].target);
    }
    free(s->volumes);
    free_labels(s->volume_labels, s->n_volume_labels);
    *s = (struct spec){0};
}

static void add_env(struct spec *s, const char *key, const char *value)
{
    _cleanup_free_ char *pair = xasprintf("%s=%s", key, value);
    schema_append_string(&s->env, &s->n_env, pair);
}

/* Adds a duration in seconds with a fraction, the form that inagent reads. */
static void add_env_seconds(struct spec *s, const char *key, int64_t msec)
{
    _cleanup_free_ char *value = xasprintf("%lld.%03lld", (long long)(msec / 1000), (long long)(msec % 1000));
    add_env(s, key, value);
}

/* Takes ownership of 'source' and 'target'. */
static void add_mount(struct spec *s, char *source, char *target, bool read_only)
{
    s->mounts = xrealloc(s->mounts, s->n_mounts + 1, sizeof *s->mounts);
    s->mounts[s->n_mounts++] =
        (struct spec_mount){.source = source, .target = target, .read_only = read_only};
}

/* Reports whether 's' can be the name of a package's directory: it has no separator, and begins neither with
 * a dot nor with a hyphen. */
static bool is_directory_name(const char *s)
{
    static const char accepted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
    size_t n = strlen(s);
    return n > 0 && n < 256 && s[0] != '.' && s[0] != '-' && strspn(s, accepted) == n;
}

static int make_mounts(struct spec *s, const struct driver_create_in *in, const struct settings *settings,
                       bool inagent, struct error *e)
{
    if (inagent) {
        add_mount(s, xasprintf("%s/%s/opt", settings->apps, s->name), xstrdup("/opt"), false);
        add_mount(s, xasprintf("%s/%s/home", settings->apps, s->name), xstrdup("/home"), false);
        add_mount(s, xstrdup(settings->agents), xstrdup(AGENT_SOCKET_DIRECTORY), true);
    }
    for (size_t i = 0; i < in->n_packages; i++) {
        const struct driver_package *p = in->packages[i];
        if (!is_directory_name(p->name) || !is_directory_name(p->id))
            return error_refuse(e, EINVAL, "%s: '%s' with id '%s' cannot be a package", s->name, p->name,
                                p->id);
        for (size_t j = 0; j < i; j++)
            if (streq(in->packages[j]->name, p->name))
                return error_refuse(e, EEXIST, "%s: package '%s' is named twice", s->name, p->name);
        add_mount(s, xasprintf("%s/%s/%s", settings->ipk_install, p->name, p->id),
                  xasprintf("/usr/innerstack/%s", p->name), true);
    }
    return 0;
}

static int make_volumes(struct spec *s, const struct driver_create_in *in, const struct settings *settings,
                        bool inagent, struct error *e)
{
    const struct app_volume_rules rules = {.inagent = inagent, .read_only = in->read_only};
    _cleanup_free_ char *prefix = volume_name_prefix(settings->tree_id, in->instance, in->replica_id);
    for (size_t i = 0; i < in->n_volumes; i++) {
        int r = app_volume_check(in->volumes[i], &rules, e);
        if (r < 0)
            return error_prefix(e, "%s", s->name);
        _cleanup_free_ char *key = app_volume_key(in->volumes[i]);
        s->volumes = xrealloc(s->volumes, s->n_volumes + 1, sizeof *s->volumes);
        s->volumes[s->n_volumes++] = (struct spec_volume){
            .name = xasprintf("%s%s", prefix, key),
            .device = xasprintf("%s/%s/" APP_VOLUMES_DIRECTORY "/%s", settings->apps, s->name, key),
            .target = xstrdup(in->volumes[i])};
    }
    return 0;
}

static void make_lxcfs_mounts(struct spec *s, const struct settings *settings)
{
    if (!lxcfs_available(settings))
        return;
    for (const char *const *target = lxcfs_targets; *target; target++) {
        char *source = xasprintf("%s%s", settings->lxcfs_path, *target);
        /* Older versions of lxcfs lack some of the files. */
        if (access(source, F_OK) == 0)
            add_mount(s, source, xstrdup(*target), true);
        else
            free(source);
    }
}

/* Checks that the container's address is in the zone's network and usable, and that the network is
 * well-formed. */
static int check_vpc(const struct spec *s, const struct driver_create_in *in, struct error *e)
{
    struct in_addr address;
    uint32_t n;
    unsigned bits;
    if (!in->vpc_ipv4)
        return 0;
    if (!in->vpc_cidr)
        return error_retry(
            e, EAGAIN, "%s: the zone's network, in which the replica has the address %.40s, is not known yet",
            s->name, in->vpc_ipv4);
    int r = zone_network_parse(s->name, in->vpc_cidr, &n, &bits, e);
    if (r < 0)
        return r;
    if (inet_pton(AF_INET, in->vpc_ipv4, &address) != 1)
        return error_refuse(e, EINVAL, "%s: '%.40s' is not an IPv4 address", s->name, in->vpc_ipv4);
    uint32_t a = ntohl(address.s_addr), hosts = UINT32_MAX >> bits;
    /* The first address is the bridge's. */
    if ((a & ~hosts) != n || (a & hosts) < 2 || (a & hosts) == hosts)
        return error_refuse(e, ERANGE, "%s: %s is no address for a container in %s", s->name, in->vpc_ipv4,
                            in->vpc_cidr);
    return 0;
}

static int make_env(struct spec *s, const struct driver_create_in *in, bool inagent, struct error *e)
{
    static const char *const reserved[] = {"APP_NAME", "APP_REP_ID", "APP_HOST_ID", "HOSTLET_PROBATION",
                                           "HOSTLET_STOP_TIMEOUT"};
    for (size_t i = 0; i < in->n_env; i++) {
        const char *key = in->env[i].key;
        if (!*key || strchr(key, '='))
            return error_refuse(e, EINVAL, "%s: '%s' cannot be the name of an environment variable", s->name,
                                key);
        for (size_t j = 0; j < ARRAY_SIZE(reserved); j++)
            if (streq(key, reserved[j]))
                return error_refuse(e, EPERM, "%s: only hostlet sets the environment variable %s", s->name,
                                    key);
        add_env(s, key, in->env[i].value);
    }
    _cleanup_free_ char *id = xasprintf("%lld", (long long)in->replica_id);
    add_env(s, "APP_NAME", in->instance);
    add_env(s, "APP_REP_ID", id);
    add_env(s, "APP_HOST_ID", in->host_id);
    if (inagent) {
        add_env_seconds(s, "HOSTLET_PROBATION", in->probation_msec);
        add_env_seconds(s, "HOSTLET_STOP_TIMEOUT", in->stop_timeout_msec ?: DEFAULT_STOP_TIMEOUT_MSEC);
    }
    return 0;
}

static void make_labels(struct spec *s, const struct driver_create_in *in, const struct settings *settings)
{
    _cleanup_free_ char *id = xasprintf("%lld", (long long)in->replica_id);
    _cleanup_free_ char *revision = xasprintf("%lld", (long long)in->revision);
    schema_map_set(&s->labels, &s->n_labels, LABEL_NAME, in->instance);
    schema_map_set(&s->labels, &s->n_labels, LABEL_REPLICA, id);
    schema_map_set(&s->labels, &s->n_labels, LABEL_TREE, settings->tree_id);
    for (size_t i = 0; i < s->n_labels; i++)
        schema_map_set(&s->volume_labels, &s->n_volume_labels, s->labels[i].key, s->labels[i].value);
    schema_map_set(&s->labels, &s->n_labels, LABEL_REVISION, revision);
    schema_map_set(&s->labels, &s->n_labels, LABEL_CONFIG, in->config);
}

static int check_limits(const struct spec *s, const struct driver_create_in *in, struct error *e)
{
    const struct {
        const char *name;
        int64_t value, max;
    } limits[] = {
        {"cpu_limit", in->cpu_limit, INT64_MAX / 1000000},
        {"memory_limit", in->memory_limit, INT64_MAX},
        {"pids_limit", in->pids_limit, INT32_MAX},
        {"stop_timeout_msec", in->stop_timeout_msec, INT64_C(86400000)},
        {"probation_msec", in->probation_msec, INT64_C(86400000)},
        {"revision", in->revision, INT64_MAX},
        {"vpc_mtu", in->vpc_mtu, 65535},
    };
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (limits[i].value < 0 || limits[i].value > limits[i].max)
            return error_refuse(e, ERANGE, "%s: %s of %lld is out of range", s->name, limits[i].name,
                                (long long)limits[i].value);
    return 0;
}

struct host_port spec_host_port(const struct driver_port *port)
{
    return host_port_at(port->protocol, port->host_address, port->host_port);
}

static int check_ports(const struct spec *s, const struct driver_create_in *in, struct error *e)
{
    char text[HOST_PORT_TEXT_SIZE];
    for (size_t i = 0; i < in->n_ports; i++) {
        const struct driver_port *p = in->ports[i];
        struct host_port own = spec_host_port(p);
        struct error why = ERROR_INIT;
        if (p->port < 1 || p->port > 65535 || p->host_port < 1 || p->host_port > 65535)
            return error_refuse(e, ERANGE, "%s: port %lld on host port %lld: not between 1 and 65535",
                                s->name, (long long)p->port, (long long)p->host_port);
        if (host_binding_check(
                &(struct app_service_port){.host_port = p->host_port, .host_address = p->host_address},
                &why) < 0)
            return error_refuse(e, EINVAL, "%s: %s", s->name, why.message);
        for (size_t j = 0; j < i; j++) {
            struct host_port other = spec_host_port(in->ports[j]);
            if (host_port_overlaps(&own, &other))
                return error_refuse(e, EEXIST, "%s: host port %s is named twice", s->name,
                                    host_port_text(&own, text));
        }
    }
    return 0;
}

/* Reports whether every container has a capability without a request. The list contains what root in an
 * ordinary image needs to install software, to change its user and to serve. Of Docker's default set, it
 * lacks NET_RAW, with which a container could reply for its gateway and read its neighbours' secrets; MKNOD;
 * and AUDIT_WRITE, with which a container could write to the machine's audit log. */
static bool has_by_itself(const char *capability)
{
    static const char *const standard[] = {
        "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",     "SETGID", "SETUID",
        "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT", "KILL"};
    for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
        if (streq(standard[i], capability))
            return true;
    return false;
}

static bool asks_for(const struct driver_create_in *in, const char *capability)
{
    for (size_t i = 0; i < in->n_capabilities; i++)
        if (streq(in->capabilities[i], capability))
            return true;
    return false;
}

static int make_capabilities(struct spec *s, const struct driver_create_in *in, struct error *e)
{
    for (const char *const *name = app_capability_names; *name; name++)
        if (has_by_itself(*name) || asks_for(in, *name))
            s->capabilities[s->n_capabilities++] = *name;
    for (size_t i = 0; i < in->n_capabilities; i++) {
        const char *const *name = app_capability_names;
        while (*name && !streq(*name, in->capabilities[i]))
            name++;
        if (!*name)
            return error_refuse(e, EPERM, "%s: the capability '%.64s' is given to no container", s->name,
                                in->capabilities[i]);
    }
    return 0;
}

static int fill(struct spec *s, const struct driver_create_in *in, const struct settings *settings,
                struct error *e)
{
    bool inagent = in->init != APP_INIT_IMAGE;
    int r = container_name(in->instance, in->replica_id, DRIVER_SLOT_CURRENT, &s->name, e);
    if (r < 0)
        return r;
    _cleanup_image_reference_ struct image_reference *reference = NULL;
    r = image_reference_parse(in->image, &reference, e);
    if (r < 0)
        return error_prefix(e, "%s", s->name);
    s->image = xstrdup(in->image);
    r = check_limits(s, in, e);
    if (r >= 0)
        r = check_ports(s, in, e);
    if (r >= 0)
        r = check_vpc(s, in, e);
    if (r < 0)
        return r;
    if (inagent && in->n_command > 0)
        return error_refuse(e, EINVAL, "%s: a command requires init = image", s->name);
    if (inagent) {
        /* sh runs the file, because it can be on a file system that is mounted noexec. The image's user and
         * working directory do not apply: it runs as root in /. */
        schema_append_string(&s->command, &s->n_command, "/bin/sh");
        schema_append_string(&s->command, &s->n_command, "/home/action/.innerstack/ininit");
        s->user = "0";
        s->working_dir = "/";
        s->stop_signal = "SIGTERM"; /* inagent's; others of the image are for its own program */
    }
    for (size_t i = 0; i < in->n_command; i++)
        schema_append_string(&s->command, &s->n_command, in->command[i]);
    s->cpu_limit = in->cpu_limit;
    s->memory_limit = in->memory_limit;
    s->pids_limit = in->pids_limit ?: (inagent ? PIDS_LIMIT_INAGENT : PIDS_LIMIT_IMAGE);
    s->stop_timeout_sec = ((in->stop_timeout_msec ?: DEFAULT_STOP_TIMEOUT_MSEC) + 999) / 1000;
    s->ports = (const struct driver_port *const *)in->ports;
    s->n_ports = in->n_ports;
    s->vpc_ipv4 = in->vpc_ipv4;
    if (in->vpc_ipv4)
        s->network = (struct spec_network){in->vpc_cidr, in->vpc_mtu, in->vpc_masqueraded};
    s->read_only = in->read_only;
    s->no_new_privileges = in->no_new_privileges;
    make_labels(s, in, settings);
    r = make_capabilities(s, in, e);
    if (r >= 0)
        r = make_env(s, in, inagent, e);
    if (r >= 0)
        r = make_mounts(s, in, settings, inagent, e);
    if (r >= 0)
        r = make_volumes(s, in, settings, inagent, e);
    if (r >= 0)
        make_lxcfs_mounts(s, settings);
    return r;
}

int spec_make(const struct driver_create_in *in, const struct settings *settings, struct spec *ret,
              struct error *e)
{
    struct spec s = {0};
    int r = fill(&s, in, settings, e);
    if (r < 0)
        spec_done(&s);
    else
        *ret = s;
    return r;
}
