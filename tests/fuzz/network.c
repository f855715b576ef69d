/* Fuzzes network.json, and the judgement of the network in it: whatever it contains, the plan connects each
 * address and network once, and makes the kernel agree. */
#include <ctype.h>

#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"
#include "net-keeper/network_file.h"
#include "net-keeper/nft_ranges.h"
#include "net-keeper/nft_table.h"
#include "net-keeper/records_text.h"
#include "net_model.h"

static struct actual machine(void)
{
    struct actual a = {.n_links = 1, .n_addresses = 1};
    a.links = xcalloc(1, sizeof *a.links);
    a.links[0] = (struct actual_link){.index = 2, .name = "eth0", .up = true, .mtu = 1500};
    a.addresses = xcalloc(1, sizeof *a.addresses);
    a.addresses[0] = (struct actual_address){.index = 2, .address = 0xc0a83c01, .bits = 24, .global = true};
    return a;
}

static void check_map(const struct map *map)
{
    for (size_t i = 0; i < map->n_hosts; i++) {
        const struct map_host *h = &map->hosts[i];
        must(!h->contested || h->problem);
        if (h->problem || map->unusable)
            continue;
        must(range_is_private((struct range){h->peer, 32}) && h->peer != map->lan &&
             h->bridge != map->bridge);
        must(h->instance.bits == NET_PREFIX && !ranges_overlap(h->instance, map->bridge_net));
        must(map_by_peer(map, h->peer) == h && map_by_instance(map, h->instance) == h);
        const struct map_host *same = map_by_ethernet(map, h->ethernet);
        must(!same || (same == h && memcmp(h->ethernet, map->ethernet, ETHERNET_SIZE) != 0));
        must(!range_contains(h->instance, map->lan) && !ranges_overlap(h->instance, map->instance));
    }
}

static void check_again(const struct net_network *network)
{
    struct net_network again = {.n_hosts = 0};
    struct error e = ERROR_INIT;
    size_t size;
    char *text = schema_pack_text(&net_network_schema, network, &size);
    must(size <= NETWORK_FILE_MAX);
    must(schema_parse_text(&net_network_schema, text, size, 0, "again", &again, &e) == 0);
    must(schema_equal(&net_network_schema, network, &again));
    schema_done(&net_network_schema, &again);
    free(text);
}

/* The ranges do not overlap and leave the world alone, and the table is built from well-formed parts. */
static void check_table(const struct net_network *network)
{
    struct error e = ERROR_INIT;
    struct range *ranges;
    json_t *objects = NULL;
    size_t n = nft_ranges_of(network, &ranges);
    for (size_t i = 0; i < n; i++)
        must(range_is_private(ranges[i]) && (i == 0 || !ranges_overlap(ranges[i - 1], ranges[i])));
    free(ranges);
    must(nft_table_build(network, NULL, &objects, &e) == 0 ? objects != NULL : *e.message != '\0');
    char *document = objects ? nft_table_replacement(objects) : NULL;
    must(!objects || document);
    free(document);
    json_decref(objects);
}

/* No name or address breaks out of its quotes. */
static void check_records(const struct net_network *network)
{
    size_t size, quotes = 0;
    char *problem, *text = records_text(network, &size, &problem);
    must(strlen(text) == size && after_prefix(text, RECORDS_HEADER));
    for (const char *c = text + strlen(RECORDS_HEADER); *c; c++) {
        quotes += *c == '"';
        must(quotes % 2 == 0 || isalnum((unsigned char)*c) || strchr("\".-_", *c));
    }
    must(quotes % 2 == 0);
    free(problem);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_network *network = NULL;
    enum network_file_state state = NETWORK_NONE;
    struct error e = ERROR_INIT;
    char *text = text_of(data, size);
    int r = network_file_parse(text, size, "network.json", &state, &network, &e);
    must(r >= 0 ? state != NETWORK_NONE && (state == NETWORK_WANTED) == (network != NULL)
                : *e.message && !network);
    if (network) {
        struct actual actual = machine();
        struct map map;
        check_again(network);
        check_table(network);
        check_records(network);
        map_make(network, &map);
        check_map(&map);
        model_settles(&map, &actual);
        actual_done(&actual);
        map_done(&map);
        network_free(network);
    }
    free(text);
    return 0;
}
