/* Fuzzes what net-keeper reads of nftables: the kernel's notifications, and listings of libnftables. A
 * listing, whatever it contains, has one canonical text, and counters from it make a table that can be built
 * again. */
#include "fuzz.h"
#include "net-keeper/nft_events.h"
#include "net-keeper/nft_table.h"

static struct net_host hosts[] = {
    {(char *)"0a", (char *)"192.168.60.1", (char *)"10.77.1.1", (char *)"10.78.1.0/24"},
    {(char *)"0b", (char *)"192.168.60.2", (char *)"10.77.1.2", (char *)"10.78.2.0/24"}};
static struct net_host *pointers[] = {&hosts[0], &hosts[1]};
static const struct net_network network = {.host_id = (char *)"0a",
                                           .lan_addr = (char *)"192.168.60.1",
                                           .bridge_ip = (char *)"10.77.1.1",
                                           .instance_cidr = (char *)"10.78.1.0/24",
                                           .hosts = pointers,
                                           .n_hosts = ARRAY_SIZE(hosts)};

static void notifications(const uint8_t *data, size_t size)
{
    struct nft_scan scan = {.touched = size % 2};
    char *copy = malloc(size + (size == 0)); /* of exactly this size, so that a sanitizer sees its end */
    must(copy);
    memcpy(copy, data, size);
    nft_scan(&scan, copy, size, 42);
    must(memchr(scan.by, '\0', sizeof scan.by) && (scan.changed || !*scan.by));
    free(copy);
}

static void listing(const char *text)
{
    _cleanup_json_ json_t *objects = json_loads(text, JSON_DECODE_ANY, NULL), *built = NULL;
    struct traffic traffic = {0};
    struct error e = ERROR_INIT;
    if (!objects)
        return;
    _cleanup_free_ char *first = nft_table_canonical(objects), *second = nft_table_canonical(objects);
    must(streq(first, second));
    nft_table_read_traffic(objects, &traffic);
    for (size_t i = 0; i < traffic.n; i++)
        must(traffic_find(&traffic, traffic.items[i].id) == &traffic.items[i]);
    must(nft_table_build(&network, &traffic, &built, &e) == 0);
    _cleanup_free_ char *document = nft_table_replacement(built), *table = nft_table_canonical(built);
    must(document && !streq(table, ""));
    traffic_done(&traffic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    notifications(data, size);
    listing(text);
    free(text);
    return 0;
}
