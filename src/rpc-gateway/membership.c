/* Implements membership.h. */
#include "rpc-gateway/membership.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/inapi/token.h"
#include "lib/schema/object.h"
#include "lib/zone/check.h"

#define ZONE_NAME_MAX 253               /* bytes */
#define READERS_GROUP "hostlet-fetcher" /* the fetcher uses the same key to ask the zone for packages */

int membership_prepare(const struct tree *tree, uid_t uid, gid_t gid, struct error *e)
{
    const struct group *readers = getgrnam(READERS_GROUP);
    /* Set-group-id: files in it get the group that can read them. */
    return give_dir_below(tree->var, "hostlet/zone", uid, readers && uid != (uid_t)-1 ? readers->gr_gid : gid,
                          02750, e);
}

int membership_load(struct membership *m, struct error *e)
{
    int r = zone_file_read(m->tree, &m->zone, e);
    m->member = r >= 0;
    return r == -ENOENT ? 0 : r;
}

void membership_done(struct membership *m)
{
    zone_file_done(&m->zone);
    m->member = false;
}

/* Writes 'zone' to the disk, and then makes it the present one. Takes ownership of 'zone', also on
 * failure. */
static int put(struct membership *m, struct zone_file *zone, bool tell, struct error *e)
{
    int r = failpoint("zone.before_save") < 0 ? error_fail(e, EIO, "failpoint")
                                              : zone_file_write(m->tree, zone, e);
    if (r >= 0 && failpoint("zone.saved") < 0)
        r = error_fail(e, EIO, "failpoint");
    if (r < 0) {
        zone_file_done(zone);
        return r;
    }
    zone_file_done(&m->zone);
    m->zone = *zone;
    m->member = true;
    if (tell)
        m->on_change(m->userdata);
    return 0;
}

static struct zone_file copy_of(const struct membership *m)
{
    struct zone_file zone = {0};
    if (m->member)
        schema_copy(&zone_file_schema, &m->zone, &zone);
    return zone;
}

static void set(char **to, const char *value)
{
    free(*to);
    *to = xstrdup_null(value);
}

/* Replaces a value; NULL or "" keeps it. */
static void set_given(char **to, const char *value)
{
    if (value && *value)
        set(to, value);
}

static void set_hosts(struct zone_file *zone, char *const *hosts, size_t n)
{
    for (size_t i = 0; i < zone->n_hosts; i++)
        free(zone->hosts[i]);
    free(zone->hosts);
    zone->hosts = NULL;
    zone->n_hosts = 0;
    for (size_t i = 0; i < n; i++)
        schema_append_string(&zone->hosts, &zone->n_hosts, hosts[i]);
}

static int check_zone_name(const char *name, struct error *e)
{
    bool good = !name || strlen(name) <= ZONE_NAME_MAX;
    for (const char *c = name; c && *c && good; c++)
        good = (unsigned char)*c >= ' ' && *c != 127;
    return good ? 0
                : error_refuse(e, EINVAL, "zone name '%.40s…' has more than %d bytes, or control characters",
                               name, ZONE_NAME_MAX);
}

/* Sets id and key of a machine that had none. */
static int make_identity(struct zone_file *zone, const struct gateway_init_in *in, struct error *e)
{
    char id[HOST_ID_SIZE], secret[ACCESS_SECRET_SIZE];
    host_id_make(id);
    access_secret_make(secret);
    zone->host_id = xstrdup(in->host_id ?: id);
    zone->access_key =
        in->access_key ? xstrdup(in->access_key) : xasprintf("ak_%s_%s", zone->host_id, secret);
    explicit_bzero(secret, sizeof secret);
    return zone_check_identity(zone->host_id, zone->access_key, e);
}

int membership_init(struct membership *m, const struct gateway_init_in *in, struct error *e)
{
    int r = zone_check_hosts(in->hosts, in->n_hosts, e);
    if (r >= 0)
        r = check_zone_name(in->zone_name, e);
    if (r >= 0)
        /* The reconciler would refuse all facts of this machine for one bad value. */
        r = zone_check_network(in->vpc_bridge_ip, in->vpc_instance_cidr, in->network_domain, e);
    if (r < 0)
        return r;
    if (m->member && in->host_id && !streq(in->host_id, m->zone.host_id))
        return error_refuse(e, EEXIST, "this machine is host %s already: leave that zone first",
                            m->zone.host_id);
    if (m->member && in->access_key && !streq(in->access_key, m->zone.access_key))
        return error_refuse(e, EEXIST, "host %s has another access key already: leave that zone first",
                            m->zone.host_id);
    struct zone_file zone = copy_of(m);
    if (!m->member)
        r = make_identity(&zone, in, e);
    if (r < 0) {
        zone_file_done(&zone);
        return r;
    }
    if (in->zone_name)
        set(&zone.zone_name, in->zone_name);
    if (in->n_hosts > 0)
        set_hosts(&zone, in->hosts, in->n_hosts);
    set_given(&zone.vpc_bridge_ip, in->vpc_bridge_ip);
    set_given(&zone.vpc_instance_cidr, in->vpc_instance_cidr);
    /* A stored domain, which a leader stated, takes precedence: the leader does not repeat it soon. */

    if (!zone.network_domain)
        set_given(&zone.network_domain, in->network_domain);
    if (m->member && schema_equal(&zone_file_schema, &zone, &m->zone)) {
        zone_file_done(&zone);
        return 0;
    }
    log_notice("this machine is host %s of a zone", zone.host_id);
    return put(m, &zone, true, e);
}

int membership_set_hosts(struct membership *m, const char *zone_name, char *const *hosts, size_t n,
                         struct error *e)
{
    if (n == 0)
        return 0;
    int r = zone_check_hosts(hosts, n, e);
    if (r >= 0)
        r = check_zone_name(zone_name, e);
    if (r < 0)
        return r;
    struct zone_file zone = copy_of(m);
    set_hosts(&zone, hosts, n);
    if (zone_name && *zone_name)
        set(&zone.zone_name, zone_name);
    set(&zone.leader, NULL);
    log_notice("zone '%s': a leader set %zu zone hosts", zone.zone_name ?: "", n);
    return put(m, &zone, true, e);
}

int membership_set_network(struct membership *m, const char *leader, const char *vpc_bridge_ip,
                           const char *vpc_instance_cidr, const char *network_domain, struct error *e)
{
    struct zone_file zone = copy_of(m);
    const struct {
        char **to;
        const char *value;
    } values[] = {{&zone.leader, leader},
                  {&zone.vpc_bridge_ip, vpc_bridge_ip},
                  {&zone.vpc_instance_cidr, vpc_instance_cidr},
                  {&zone.network_domain, network_domain}};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        set_given(values[i].to, values[i].value);
    if (schema_equal(&zone_file_schema, &zone, &m->zone)) {
        zone_file_done(&zone);
        return 0;
    }
    return put(m, &zone, false, e);
}

int membership_leave(struct membership *m, struct error *e)
{
    if (!m->member)
        return 0;
    int r = zone_file_remove(m->tree, e);
    if (r >= 0)
        r = failpoint_error("zone.left", e);
    if (r < 0)
        return r;
    log_notice("this machine, which was host %s, no longer belongs to a zone", m->zone.host_id);
    membership_done(m);
    m->on_change(m->userdata);
    return 0;
}
