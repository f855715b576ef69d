/* Implements create.h. */
#include "container-driver/docker/create.h"

#include <errno.h>
#include <stdio.h>

#include "container-driver/docker/network_options.h"
#include "container-driver/reading.h"

#define NOFILE         10000 /* defined by the contract */
#define SECCOMP_OPTION "seccomp="

static json_t *strings(char *const *items, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_string(items[i]));
    return array;
}

static json_t *number_text(int64_t n)
{
    return json_sprintf("%lld", (long long)n);
}

static json_t *labels(const struct schema_pair *pairs, size_t n)
{
    json_t *object = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, pairs[i].key, json_string(pairs[i].value));
    return object;
}

/* A volume and not a bind: Docker fills an empty one with what the image has at the path. Docker ignores the
 * options if a volume of the name exists, which docker_volumes_check() therefore examines first. */
static json_t *volume(const struct spec *s, const struct spec_volume *v)
{
    json_t *options = json_pack("{s:s, s:s, s:s}", "type", "none", "o", "bind", "device", v->device);
    return json_pack("{s:s, s:s, s:s, s:{s:o, s:{s:s, s:o}}}", "Type", "volume", "Source", v->name, "Target",
                     v->target, "VolumeOptions", "Labels", labels(s->volume_labels, s->n_volume_labels),
                     "DriverConfig", "Name", "local", "Options", options);
}

/* Uses Mounts and not Binds: for a bind whose source does not exist, Docker silently creates an empty
 * directory that root owns. */
static json_t *mounts(const struct spec *s)
{
    json_t *array = json_array();
    for (size_t i = 0; i < s->n_mounts; i++) {
        const struct spec_mount *m = &s->mounts[i];
        json_t *mount = json_pack("{s:s, s:s, s:s, s:b}", "Type", m->is_volume ? "volume" : "bind", "Source",
                                  m->source, "Target", m->target, "ReadOnly", m->read_only);
        if (m->is_volume)
            json_object_set_new(mount, "VolumeOptions", json_pack("{s:b}", "NoCopy", 1));
        json_array_append_new(array, mount);
    }
    for (size_t i = 0; i < s->n_volumes; i++)
        json_array_append_new(array, volume(s, &s->volumes[i]));
    return array;
}

static void port_key(const struct driver_port *port, char ret[16])
{
    snprintf(ret, 16, "%u/%s", (unsigned)port->port & 0xffff,
             port->protocol == APP_PROTOCOL_UDP ? "udp" : "tcp");
}

static json_t *exposed_ports(const struct spec *s)
{
    json_t *object = json_object();
    for (size_t i = 0; i < s->n_ports; i++) {
        char key[16];
        port_key(s->ports[i], key);
        json_object_set_new(object, key, json_object());
    }
    return object;
}

static json_t *port_bindings(const struct spec *s)
{
    json_t *object = json_object();
    for (size_t i = 0; i < s->n_ports; i++) {
        char key[16];
        port_key(s->ports[i], key);
        json_t *list = json_object_get(object, key);
        if (!list)
            json_object_set_new(object, key, list = json_array());
        json_array_append_new(list, json_pack("{s:s, s:o}", "HostIp", s->ports[i]->host_address ?: "0.0.0.0",
                                              "HostPort", number_text(s->ports[i]->host_port)));
    }
    return object;
}

/* Limits the size of the container's log, because the replica's quota does not include it. */
static json_t *log_config(const struct settings *settings)
{
    json_t *options = json_pack("{s:o, s:o}", "max-size", number_text(settings->log_max_size), "max-file",
                                number_text(settings->log_max_file));
    if (streq(settings->log_driver, "local"))
        json_object_set_new(options, "compress", json_string("false")); /* refused with a single file */
    return json_pack("{s:s, s:o}", "Type", settings->log_driver, "Config", options);
}

static json_t *security_options(const struct spec *s, const struct settings *settings)
{
    json_t *array = json_array();
    if (settings->seccomp_profile)
        json_array_append_new(array, json_sprintf(SECCOMP_OPTION "%s", settings->seccomp_profile));
    if (s->no_new_privileges)
        json_array_append_new(array, json_string("no-new-privileges:true"));
    return array;
}

/* Returns the options of a file system in memory. Its content counts towards the container's memory limit, so
 * it can have half of it. */
static json_t *memory_file_system(const struct spec *s, const char *options)
{
    return s->memory_limit > 0 ? json_sprintf("%s,size=%lld", options, (long long)s->memory_limit / 2)
                               : json_string(options);
}

/* Drops all capabilities and adds each by name, so that the result does not depend on the engine's default
 * set. */
static void set_capabilities(json_t *h, const struct spec *s)
{
    json_object_set_new(h, "CapDrop", json_pack("[s]", "ALL"));
    json_object_set_new(h, "CapAdd", strings((char *const *)s->capabilities, s->n_capabilities));
}

/* Makes the root file system read-only. Programs write temporary files, process ids and sockets to file
 * systems in memory. */
static void set_read_only(json_t *h, const struct spec *s)
{
    json_object_set_new(h, "ReadonlyRootfs", json_true());
    json_object_set_new(h, "Tmpfs",
                        json_pack("{s:o, s:o}", "/tmp",
                                  memory_file_system(s, "rw,nosuid,nodev,exec,mode=1777"), "/run",
                                  memory_file_system(s, "rw,nosuid,nodev,noexec,mode=755")));
}

void docker_create_without_profile(json_t *body)
{
    json_t *options = json_object_get(json_object_get(body, "HostConfig"), "SecurityOpt");
    for (size_t i = json_array_size(options); i-- > 0;)
        if (after_prefix(json_string_value(json_array_get(options, i)), SECCOMP_OPTION))
            json_array_remove(options, i);
}

void docker_create_with_json_file(json_t *body)
{
    json_t *log = json_object_get(json_object_get(body, "HostConfig"), "LogConfig");
    json_object_set_new(log, "Type", json_string("json-file"));
    json_object_del(json_object_get(log, "Config"), "compress");
}

static json_t *host_config(const struct spec *s, const struct settings *settings, int64_t layer_size)
{
    json_t *h = json_pack("{s:{s:s}, s:I, s:[{s:s, s:i, s:i}], s:o, s:o}", /* */
                          "RestartPolicy", "Name", "no",                   /* until the probation ends */
                          "PidsLimit", (json_int_t)s->pids_limit,          /* */
                          "Ulimits", "Name", "nofile", "Soft", NOFILE, "Hard", NOFILE, /* */
                          "PortBindings", port_bindings(s),                            /* */
                          "Mounts", mounts(s));
    if (s->cpu_limit > 0)
        json_object_set_new(h, "NanoCpus", json_integer(s->cpu_limit * 1000000));
    if (s->memory_limit > 0) {
        json_object_set_new(h, "Memory", json_integer(s->memory_limit));
        json_object_set_new(h, "MemorySwap", json_integer(s->memory_limit)); /* the sum: no swap */
        json_object_set_new(h, "ShmSize", json_integer(s->memory_limit / 2));
    }
    json_object_set_new(h, "LogConfig", log_config(settings));
    if (layer_size > 0)
        json_object_set_new(h, "StorageOpt", json_pack("{s:o}", "size", number_text(layer_size)));
    if (settings->seccomp_profile || s->no_new_privileges)
        json_object_set_new(h, "SecurityOpt", security_options(s, settings));
    set_capabilities(h, s);
    if (s->read_only)
        set_read_only(h, s);
    const struct words *dns = s->vpc_ipv4 && settings->zone_dns.n > 0 ? &settings->zone_dns : &settings->dns;
    if (dns->n > 0)
        json_object_set_new(h, "Dns", strings(dns->items, dns->n));
    return h;
}

int docker_create_body(const struct spec *s, const struct settings *settings, int64_t layer_size,
                       json_t **ret, struct error *e)
{
    /* Only paths are checked: all other text arrived as JSON, which is UTF-8. */
    for (size_t i = 0; i < s->n_mounts + s->n_volumes; i++) {
        const char *path = i < s->n_mounts ? s->mounts[i].source : s->volumes[i - s->n_mounts].device;
        _cleanup_json_ json_t *probe = json_string(path);
        if (!probe)
            return error_refuse(e, EILSEQ, "%s: the path '%s' is not UTF-8", s->name, path);
    }
    json_t *body = json_pack("{s:s, s:o, s:o, s:o, s:I, s:o}",               /* */
                             "Image", s->image,                              /* */
                             "Env", strings(s->env, s->n_env),               /* */
                             "Labels", labels(s->labels, s->n_labels),       /* */
                             "ExposedPorts", exposed_ports(s),               /* */
                             "StopTimeout", (json_int_t)s->stop_timeout_sec, /* */
                             "HostConfig", host_config(s, settings, layer_size));
    if (!body)
        return error_retry(e, ENOMEM, "%s: out of memory", s->name);
    if (s->n_command > 0) {
        /* The list is empty and not absent: otherwise Docker would run the image's entrypoint with the
         * command as its arguments. */
        json_object_set_new(body, "Entrypoint", json_array());
        json_object_set_new(body, "Cmd", strings(s->command, s->n_command));
    }
    if (s->user)
        json_object_set_new(body, "User", json_string(s->user));
    if (s->vpc_ipv4) {
        json_object_set_new(json_object_get(body, "HostConfig"), "NetworkMode", json_string(VPC_NETWORK));
        json_object_set_new(body, "NetworkingConfig",
                            json_pack("{s:{s:{s:{s:s}}}}", "EndpointsConfig", VPC_NETWORK, "IPAMConfig",
                                      "IPv4Address", s->vpc_ipv4));
    }
    if (s->isolated) {
        json_object_set_new(json_object_get(body, "HostConfig"), "NetworkMode", json_string("none"));
        json_object_set_new(body, "Healthcheck", json_pack("{s:[s]}", "Test", "NONE"));
    }
    if (s->working_dir)
        json_object_set_new(body, "WorkingDir", json_string(s->working_dir));
    if (s->stop_signal)
        json_object_set_new(body, "StopSignal", json_string(s->stop_signal));
    *ret = body;
    return 0;
}
