/* Implements variables.h. */
#include "inagent/variables.h"

#include "lib/basic/cleanup.h"
#include "lib/basic/util.h"

/* Returns a number member, 0 if it is missing or too large. Numbers are decoded as reals (see spec.c). */
static long long number(json_t *object, const char *name)
{
    double value = json_number_value(json_object_get(object, name));
    return value > -1e15 && value < 1e15 ? (long long)value : 0;
}

/* Returns a string member, or "" if it is missing: the contract omits empty members. */
static const char *text(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name)) ?: "";
}

/* Adds a variable. Takes ownership of 'key' and 'value'. Values from a JSON document are always UTF-8. */
static void put(json_t *variables, char *key, char *value)
{
    if (json_object_set_new(variables, key, json_string(value)) < 0)
        abort();
    free(key);
    free(value);
}

/* Returns a name in the form of keys: in names of configs "/" becomes "." and "-" becomes "_", in names of
 * packages only the latter. The caller frees it. */
static char *key_name(const char *name, bool slashes)
{
    char *s = xstrdup(name);
    for (char *c = s; *c; c++)
        if (*c == '-')
            *c = '_';
        else if (slashes && *c == '/')
            *c = '.';
    return s;
}

static void put_configs(json_t *variables, const char *prefix, json_t *configs)
{
    size_t i, j;
    json_t *config, *item;
    json_array_foreach(configs, i, config)
    {
        _cleanup_free_ char *name = key_name(text(config, "name"), true);
        put(variables, xasprintf("%s.cfg.%s", prefix, name), xstrdup(text(config, "value")));
        json_array_foreach(json_object_get(config, "items"), j, item)
        {
            _cleanup_free_ char *item_name = key_name(text(item, "name"), true);
            put(variables, xasprintf("%s.cfg.%s.%s", prefix, name, item_name), xstrdup(text(item, "value")));
        }
    }
}

static void put_address(json_t *variables, const char *prefix, const char *port_name, const char *kind,
                        const char *host, long long port)
{
    put(variables, xasprintf("%s.net.%s.%s_addr", prefix, port_name, kind), xasprintf("%s:%lld", host, port));
    put(variables, xasprintf("%s.net.%s.%s_host", prefix, port_name, kind), xstrdup(host));
    put(variables, xasprintf("%s.net.%s.%s_port", prefix, port_name, kind), xasprintf("%lld", port));
}

/* Adds the addresses of a replica's ports. 'service_host' is NULL in a zone without a domain. */
static void put_ports(json_t *variables, const char *prefix, json_t *replica, json_t *ports,
                      const char *service_host)
{
    const char *vpc = text(replica, "vpc_ipv4"), *host = text(replica, "host_ipv4");
    size_t i;
    json_t *item;
    json_array_foreach(ports, i, item)
    {
        const char *name = text(item, "name");
        long long port = number(item, "port"), host_port = number(item, "host_port");
        if (*vpc)
            put_address(variables, prefix, name, "internal", vpc, port);
        else if (*host && host_port > 0)
            put_address(variables, prefix, name, "internal", host, host_port);
        else
            put_address(variables, prefix, name, "internal", "127.0.0.1", port);
        if (service_host)
            put_address(variables, prefix, name, "service", service_host, port);
    }
}

static char *service_host(json_t *root, const char *instance)
{
    const char *domain = text(root, "zone_base_domain");
    return *domain && *instance ? xasprintf("%s.%s", instance, domain) : NULL;
}

static void put_depends(json_t *variables, json_t *root, json_t *depends)
{
    size_t i, j;
    json_t *depend, *replica;
    json_array_foreach(depends, i, depend)
    {
        _cleanup_free_ char *prefix = xasprintf("deps.%s", text(depend, "spec_name"));
        _cleanup_free_ char *host = service_host(root, text(depend, "instance_name"));
        put_configs(variables, prefix, json_object_get(depend, "configs"));
        /* Each replica overwrites the previous one: of several, the last one counts. */
        json_array_foreach(json_object_get(depend, "replicas"), j, replica)
            put_ports(variables, prefix, replica, json_object_get(replica, "service_ports"), host);
    }
}

json_t *variables_make(json_t *root, json_t *replica)
{
    json_t *variables = json_object();
    if (!variables)
        abort();
    json_t *app = json_object_get(root, "app");
    json_t *spec = json_object_get(app, "spec"), *deploy = json_object_get(app, "deploy");
    const char *name = text(json_object_get(app, "meta"), "name");

    put(variables, xstrdup("app.name"), xstrdup(name));
    put(variables, xstrdup("app.replica.rep_id"), xasprintf("%lld", number(replica, "id")));
    put(variables, xstrdup("app.deploy.replica_cap"), xasprintf("%lld", number(deploy, "replica_cap")));
    put_configs(variables, "self", json_object_get(deploy, "configs"));

    /* The spec's ports first, for a replica without an allocation (its ports are published 1:1). */
    _cleanup_free_ char *host = service_host(root, name);
    put_ports(variables, "self", replica, json_object_get(spec, "service_ports"), host);
    put_ports(variables, "self", replica, json_object_get(replica, "service_ports"), host);
    put_depends(variables, root, json_object_get(deploy, "depends"));

    size_t i;
    json_t *package;
    json_array_foreach(json_object_get(spec, "packages"), i, package)
    {
        const char *raw = text(package, "name");
        _cleanup_free_ char *package_name = key_name(raw, false);
        put(variables, xasprintf("ipk.%s.path", package_name), xasprintf("/usr/innerstack/%s", raw));
    }
    return variables;
}

const char *variables_lookup(void *variables, const char *key, size_t n)
{
    _cleanup_free_ char *copy = xstrndup(key, n);
    return json_string_value(json_object_get(variables, copy));
}
