/* Implements import_settings.h. */
#include "ctl/import_settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/apps.h"
#include "ctl/enable.h"
#include "lib/zone/check.h"
#include "lib/zone/file.h"

char *import_settings_make(const struct original *o)
{
    const struct original_hostlet *h = o->hostlet;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    fprintf(file, "# Made by hostletctl import from %s. Yours to change.\n[hostlet]\napp_path = %s\n\n",
            o->dir, o->app_path);
    fprintf(file, "[zone]\nenable = yes\npeer_port = %" PRId64 "\nhttp_port = %" PRId64 "\n",
            o->server->peer_port, o->server->http_port);
    if (h->lan_addr && *h->lan_addr)
        fprintf(file, "lan_addr = %s\n", h->lan_addr);
    if (h->n_dns_servers > 0) {
        fputs("dns_servers =", file);
        for (size_t i = 0; i < h->n_dns_servers; i++)
            fprintf(file, " %s", h->dns_servers[i]);
        fputc('\n', file);
    }
    if (h->lxc_fs_enable)
        fputs("\n[container-driver]\nlxcfs = yes\n", file);
    fclose(file);
    return text;
}

/* Refuses a text that would be another value, or a further line, in hostlet.conf. */
static int check_plain(const struct original *o, const char *key, const char *value, struct error *e)
{
    size_t n = value ? strlen(value) : 0;
    bool plain = n == 0 || (value[0] != ' ' && value[n - 1] != ' ');
    for (size_t i = 0; plain && i < n; i++)
        plain = (unsigned char)value[i] >= ' ' && value[i] != 127 && value[i] != ';' && value[i] != '#' &&
                value[i] != '"';
    return plain ? 0
                 : error_refuse(e, EINVAL,
                                "%s/etc/innerstack.toml: %s '%.80s' cannot be a value in hostlet.conf",
                                o->dir, key, value);
}

static int check_texts(const struct original *o, struct error *e)
{
    const struct original_hostlet *h = o->hostlet;
    int r = check_plain(o, "app_path", o->app_path, e);
    if (r >= 0)
        r = check_plain(o, "the prefix", o->dir, e);
    if (r >= 0)
        r = check_plain(o, "lan_addr", h->lan_addr, e);
    for (size_t i = 0; r >= 0 && i < h->n_dns_servers; i++)
        r = check_plain(o, "dns_servers", h->dns_servers[i], e);
    return r;
}

/* Refuses if a later part of the configuration overrides what an import needs. */
static int check_effective(const struct original *o, const struct config *config, struct error *e)
{
    const char *apps = config_string(config, "hostlet", "app_path");
    const struct {
        const char *key;
        int64_t is, wanted;
    } numbers[] = {{"enable", config_bool(config, "zone", "enable"), 1},
                   {"peer_port", config_number(config, "zone", "peer_port"), o->server->peer_port},
                   {"http_port", config_number(config, "zone", "http_port"), o->server->http_port}};
    if (!streq(apps, o->app_path))
        return error_refuse(e, EEXIST,
                            "hostlet.conf.d sets app_path to '%s' after " IMPORT_CONFIG_NAME
                            ", and the original's is '%s': remove that setting first",
                            apps, o->app_path);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (numbers[i].is != numbers[i].wanted)
            return error_refuse(e, EEXIST,
                                "hostlet.conf.d sets [zone] %s after " IMPORT_CONFIG_NAME
                                ", other than the original: remove that setting first",
                                numbers[i].key);
    return 0;
}

/* Reports whether hostlet has data or a container of the instance, which it would no longer find in another
 * app path. A replica whose name is in use by the original's container has neither. */
static bool is_placed(const char *apps, const struct reconciler_instance *instance)
{
    if (!streq_null(instance->origin, "zone"))
        return true;
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct reconciler_replica *r = instance->replicas[i];
        _cleanup_free_ char *directory = xasprintf("%s/%s", apps, r->container);
        if ((r->revision != 0 && r->state != REPLICA_CONFLICT) || access(directory, F_OK) == 0)
            return true;
    }
    return false;
}

/* Refuses if hostlet has applications in another app path. */
static int check_place(const struct ctl *ctl, const struct original *o, struct error *e)
{
    struct instance_list apps = {.n_items = 0};
    _cleanup_free_ char *ours = NULL;
    int r = configured_app_path(ctl, &ours, e);
    if (r < 0 || streq(ours, o->app_path))
        return r;
    r = instance_list_read(ctl, &apps, e);
    for (size_t i = 0; r >= 0 && i < apps.n_items; i++)
        if (is_placed(ours, apps.items[i]))
            r = error_refuse(
                e, EEXIST,
                "hostlet already has applications below '%s' ('%s'), and the original agent's are "
                "below '%s': a tree has one app_path",
                ours, apps.items[i]->name, o->app_path);
    instance_list_done(&apps);
    return r;
}

/* Refuses what rpc-gateway would refuse, which it does only after the containers were adopted. */
static int check_membership(const struct ctl *ctl, const struct original *o, struct error *e)
{
    const struct original_hostlet *h = o->hostlet;
    struct zone_file zone = {.format = 0};
    int r = zone_check_identity(h->host_id, h->access_key, e);
    if (r >= 0)
        r = zone_check_hosts(o->server->zone_hosts, o->server->n_zone_hosts, e);
    if (r >= 0)
        r = zone_check_network(h->vpc_bridge_ip, h->vpc_instance_cidr, h->vpc_network_domain, e);
    if (r < 0)
        return error_prefix(e, "%s/etc/innerstack.toml", o->dir);
    r = zone_file_read(&ctl->tree, &zone, e);
    if (r == -ENOENT)
        return 0;
    if (r >= 0 && !streq_null(zone.host_id, h->host_id))
        r = error_refuse(
            e, EEXIST,
            "this machine is already host %s, and the original's id is %s: leave that zone first "
            "(hostletctl zone leave)",
            zone.host_id, h->host_id);
    else if (r >= 0 && !streq_null(zone.access_key, h->access_key))
        r = error_refuse(
            e, EEXIST,
            "host %s already has another access key than the original agent: leave that zone first "
            "(hostletctl zone leave)",
            h->host_id);
    zone_file_done(&zone);
    return r;
}

int import_settings_check(const struct ctl *ctl, const struct original *o, const char *text, struct error *e)
{
    struct config *config = NULL;
    int r = check_membership(ctl, o, e);
    if (r >= 0)
        r = check_texts(o, e);
    if (r >= 0)
        r = read_config_with(ctl, IMPORT_CONFIG_NAME, text, &config, e);
    if (r >= 0)
        r = check_effective(o, config, e);
    if (r >= 0)
        r = check_place(ctl, o, e);
    config_free(config);
    return r;
}
