/* Implements zone_map.h. */
#include "rpc-gateway/zone_map.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/message.h"
#include "lib/inapi/token.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/schema/object.h"
#include "lib/zone/check.h"

#define MEMORY_MAX      ((size_t)32 << 20)
#define FIELD_REVISION  8
#define RECORD_NAME_MAX 128 /* bytes; a name is that of an instance and the number of a replica */
#define INSTANCE_BITS   24  /* prefix length of each host's network */

typedef Inapi__ZoneNetworkMap map_message;
typedef Inapi__ZoneNetworkMap__VpcBridgeHostEntry host_entry;
typedef Inapi__ZoneNetworkMap__VpcInstanceEntry record_entry;

/* The position of an entry in the message, for sorting. */
struct place {
    uint32_t key;
    size_t at;
};

struct reading {
    struct zone_map *map;
    in_addr_t *avoid; /* addresses of the zone hosts, in the order of the host */
    size_t n_avoid;
};

/* --- helpers --- */

static void leave_out(struct reading *r, char *text)
{
    problems_add(&r->map->problems, text);
    free(text);
}

static char *address_text(uint32_t address)
{
    char text[INET_ADDRSTRLEN];
    const struct in_addr in = {htonl(address)};
    return xstrdup(inet_ntop(AF_INET, &in, text, sizeof text));
}

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Sorts by key. Of several entries with one key the last one counts, as in every map of protobuf. Returns the
 * number of the remaining ones. */
static size_t sort_last(struct place *places, size_t n)
{
    size_t kept = 0;
    qsort(places, n, sizeof *places, by_key);
    for (size_t i = 0; i < n; i++)
        if (i + 1 == n || places[i].key != places[i + 1].key)
            places[kept++] = places[i];
    return kept;
}

/* --- parts --- */

/* Returns the reason for which a host is left out, or NULL. The caller frees it. */
static char *mistake_of(const struct reading *r, uint32_t key, const Inapi__ZoneNetworkMap__Host *host)
{
    if (!host || !host_id_valid(host->id))
        return xstrdup("has no valid id");
    if (host->peer == 0 || host->instance == 0)
        return xstrdup("has no address, or no network of its containers");
    if (host->bridge != 0 && host->bridge != key)
        return xstrdup("has two addresses on the VXLAN device");
    if (host->instance & 0xff)
        return xstrdup("has a network that does not begin at a multiple of 256");
    for (size_t i = 0; i < r->n_avoid; i++)
        if ((r->avoid[i] ^ host->instance) >> (32 - INSTANCE_BITS) == 0) {
            _cleanup_free_ char *address = address_text(r->avoid[i]);
            return xasprintf("has a network that contains the zone host %s", address);
        }
    return NULL;
}

static void read_host(struct reading *r, const host_entry *entry)
{
    const Inapi__ZoneNetworkMap__Host *host = entry->value;
    _cleanup_free_ char *bridge = address_text(entry->key), *mistake = mistake_of(r, entry->key, host);
    if (mistake) {
        leave_out(r, xasprintf("the zone's map: the host at %s %s: it is left out", bridge, mistake));
        return;
    }
    struct net_network *network = &r->map->network;
    struct net_host *to = schema_append(&network->hosts, &network->n_hosts, sizeof *to);
    _cleanup_free_ char *instance = address_text(host->instance);
    to->id = xstrdup(host->id);
    to->peer = address_text(host->peer);
    to->bridge = TAKE_PTR(bridge);
    to->instance = xasprintf("%s/%d", instance, INSTANCE_BITS);
}

static void read_hosts(struct reading *r, const map_message *m)
{
    _cleanup_free_ struct place *places = xcalloc(m->n_vpc_bridge_host + 1, sizeof *places);
    for (size_t i = 0; i < m->n_vpc_bridge_host; i++)
        places[i] = (struct place){m->vpc_bridge_host[i]->key, i};
    size_t n = sort_last(places, m->n_vpc_bridge_host);
    for (size_t i = 0; i < n; i++)
        read_host(r, m->vpc_bridge_host[places[i].at]);
}

static void read_records(struct reading *r, const map_message *m)
{
    struct net_network *network = &r->map->network;
    _cleanup_free_ struct place *places = xcalloc(m->n_vpc_instance + 1, sizeof *places);
    for (size_t i = 0; i < m->n_vpc_instance; i++)
        places[i] = (struct place){m->vpc_instance[i]->key, i};
    size_t n = sort_last(places, m->n_vpc_instance), bad = 0;
    uint32_t first_bad = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = m->vpc_instance[places[i].at]->value;
        if (strlen(name) > RECORD_NAME_MAX || !zone_is_domain(name)) {
            first_bad = bad++ ? first_bad : places[i].key;
            continue;
        }
        struct net_record *to = schema_append(&network->records, &network->n_records, sizeof *to);
        to->name = xstrdup(name);
        to->address = address_text(places[i].key);
    }
    if (bad > 0) {
        _cleanup_free_ char *address = address_text(first_bad);
        leave_out(
            r,
            xasprintf(
                "the zone's map: %zu name%s, the first that of %s, %s left out: a name has letters, digits, "
                "'.', '-' and '_', %d at most",
                bad, bad == 1 ? "" : "s", address, bad == 1 ? "is" : "are", RECORD_NAME_MAX));
    }
}

static char *read_text(struct reading *r, const char *name, const char *text, bool (*is_good)(const char *))
{
    if (!*text || is_good(text))
        return *text ? xstrdup(text) : NULL;
    leave_out(r, xasprintf("the zone's map: its %s is not valid, and left out", name));
    return NULL;
}

/* --- the map --- */

uint64_t zone_map_revision(const uint8_t *data, size_t size)
{
    return grpc_message_number(data, size, FIELD_REVISION);
}

static void read_avoided(struct reading *r, char *const *zone_hosts, size_t n)
{
    r->avoid = xcalloc(n + 1, sizeof *r->avoid);
    for (size_t i = 0; i < n; i++) {
        struct in_addr address;
        _cleanup_free_ char *bare = xstrndup(zone_hosts[i], strcspn(zone_hosts[i], ":"));
        if (inet_pton(AF_INET, bare, &address) == 1)
            r->avoid[r->n_avoid++] = ntohl(address.s_addr);
    }
}

int zone_map_read(const uint8_t *data, size_t size, char *const *zone_hosts, size_t n_zone_hosts,
                  struct zone_map *ret, struct error *e)
{
    _cleanup_message_ ProtobufCMessage *message = NULL;
    struct zone_map map = {.problems = {.n = 0}};
    int r = grpc_message_unpack(&inapi__zone_network_map__descriptor, data, size, MEMORY_MAX, &message, e);
    if (r < 0)
        return r;
    const map_message *m = (const map_message *)message;
    if (m->n_vpc_bridge_host > NET_HOSTS_MAX || m->n_vpc_instance > NET_RECORDS_MAX)
        return error_refuse(e, E2BIG, "it has more than %d hosts, or more than %d names", NET_HOSTS_MAX,
                            NET_RECORDS_MAX);
    struct reading reading = {.map = &map};
    read_avoided(&reading, zone_hosts, n_zone_hosts);
    map.network.vpc_bridge_cidr = read_text(&reading, "vpc_bridge_cidr", m->vpc_bridge_cidr, zone_is_network);
    map.network.vpc_instance_cidr =
        read_text(&reading, "vpc_instance_cidr", m->vpc_instance_cidr, zone_is_network);
    map.network.domain = read_text(&reading, "domain", m->vpc_network_domain, zone_is_domain);
    read_hosts(&reading, m);
    read_records(&reading, m);
    free(reading.avoid);
    *ret = map;
    return 0;
}

void zone_map_done(struct zone_map *map)
{
    schema_done(&net_network_schema, &map->network);
    problems_done(&map->problems);
}
