/* Implements check.h. */
#include "lib/zone/check.h"

#include <arpa/inet.h>
#include <errno.h>

#include "lib/basic/cleanup.h"
#include "lib/inapi/token.h"

#define HOSTS_MAX     1024
#define HOST_TEXT_MAX 255

bool zone_is_address(const char *text)
{
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1;
}

bool zone_is_network(const char *text)
{
    const char *slash = strchr(text, '/');
    _cleanup_free_ char *address = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;
    int64_t bits;
    return slash && zone_is_address(address) && parse_int64(slash + 1, 8, 30, &bits) == 0;
}

bool zone_is_domain(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && n <= 253 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n;
}

int zone_check_hosts(char *const *hosts, size_t n, struct error *e)
{
    if (n > HOSTS_MAX)
        return error_refuse(e, E2BIG, "more than %d zone hosts", HOSTS_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t good =
            strspn(hosts[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]");
        if (hosts[i][good] || good == 0 || good > HOST_TEXT_MAX)
            return error_refuse(e, EINVAL, "zone host %zu: '%.40s' is no ADDRESS:PORT", i, hosts[i]);
    }
    return 0;
}

int zone_check_identity(const char *host_id, const char *access_key, struct error *e)
{
    struct access_key key = {0};
    if (!host_id_valid(host_id))
        return error_refuse(e, EINVAL, "host id '%.40s' is not 12 to 16 lower-case hex digits", host_id);
    int r = access_key_parse(access_key, &key, e);
    /* A leader answers "auth fail" to requests for packages if the two ids differ (contract, section 13). */
    if (r >= 0 && !streq(key.id, host_id))
        r = error_refuse(e, EINVAL,
                         "the access key's id is '%.32s' and the host's '%s': they must be the same", key.id,
                         host_id);
    access_key_done(&key);
    return r;
}

int zone_check_network(const char *bridge_ip, const char *instance_cidr, const char *domain, struct error *e)
{
    const struct {
        const char *name, *value;
        bool (*is_good)(const char *text);
    } values[] = {{"vpc_bridge_ip", bridge_ip, zone_is_address},
                  {"vpc_instance_cidr", instance_cidr, zone_is_network},
                  {"network_domain", domain, zone_is_domain}};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (values[i].value && *values[i].value && !values[i].is_good(values[i].value))
            return error_refuse(e, EINVAL, "%s: '%.40s' is none", values[i].name, values[i].value);
    return 0;
}
