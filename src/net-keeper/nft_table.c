/* Implements nft_table.h. */
#include "net-keeper/nft_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net-keeper/nft_ranges.h"

/* The VXLAN device's network id and UDP port (defined by the contract). */
#define VXLAN_ID   10
#define VXLAN_PORT 8472

/* After Docker's own chains (100), so that a network that Docker masquerades stays as it is. */
#define PRIORITY_MASQUERADE 110
/* After the filters of others (0), so that what they drop is not counted. */
#define PRIORITY_COUNT 10

/* No keyword of nft: what it prints of the table can be loaded again. */
#define CHAIN "to_outside"

#define COUNTER_SIZE 48 /* bytes of a counter's name */
#define ID_MAX       32

void traffic_done(struct traffic *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->items[i].id);
    free(t->items);
    *t = (struct traffic){0};
}

static struct traffic_item *item_of(const struct traffic *t, const char *id)
{
    for (size_t i = 0; t && i < t->n; i++)
        if (streq(t->items[i].id, id))
            return &t->items[i];
    return NULL;
}

const struct traffic_item *traffic_find(const struct traffic *t, const char *id)
{
    return item_of(t, id);
}

static struct traffic_item *item_made(struct traffic *t, const char *id)
{
    struct traffic_item *item = item_of(t, id);
    if (!item) {
        t->items = xrealloc(t->items, t->n + 1, sizeof *t->items);
        item = &t->items[t->n++];
        *item = (struct traffic_item){.id = xstrdup(id)};
    }
    return item;
}

/* Appends an object of one kind that belongs to the table. Takes ownership of 'members'. */
static void add(json_t *objects, const char *kind, json_t *members)
{
    json_object_set_new(members, "family", json_string("ip"));
    if (!streq(kind, "table"))
        json_object_set_new(members, "table", json_string(NFT_TABLE));
    json_array_append_new(objects, json_pack("{s:o}", kind, members));
}

static void add_chain(json_t *objects, const char *name, const char *type, const char *hook, int priority)
{
    add(objects, "chain",
        json_pack("{s:s, s:s, s:s, s:i, s:s}", "name", name, "type", type, "hook", hook, "prio", priority,
                  "policy", "accept"));
}

static json_t *field(const char *protocol, const char *name)
{
    return json_pack("{s:{s:s, s:s}}", "payload", "protocol", protocol, "field", name);
}

/* Takes ownership of both sides. */
static json_t *match(const char *op, json_t *left, json_t *right)
{
    return json_pack("{s:{s:s, s:o, s:o}}", "match", "op", op, "left", left, "right", right);
}

static json_t *range_json(struct range range)
{
    char text[IPV4_TEXT];
    ipv4_text(range.first, text);
    return range.bits == 32 ? json_string(text)
                            : json_pack("{s:{s:s, s:i}}", "prefix", "addr", text, "len", (int)range.bits);
}

static int add_masquerade(json_t *objects, const struct net_network *n, struct error *e)
{
    struct range own;
    uint32_t lan;
    _cleanup_free_ struct range *ranges = NULL;
    if (!range_parse(n->instance_cidr, &own) || !range_is_private(own) || own.bits > 30)
        return error_refuse(
            e, EINVAL,
            "'%.40s' is no private network: what this machine's containers send is not masqueraded",
            n->instance_cidr ?: "");
    /* Else the LAN of the machine would be masqueraded, where the machine is its router. */
    if (ipv4_parse(n->lan_addr, &lan) && range_contains(own, lan))
        return error_refuse(
            e, EINVAL,
            "'%.40s' contains this machine's address in the zone: what this machine's containers "
            "send is not masqueraded",
            n->instance_cidr);
    size_t n_ranges = nft_ranges_of(n, &ranges);
    json_t *inside = json_array();
    for (size_t i = 0; i < n_ranges; i++)
        json_array_append_new(inside, range_json(ranges[i]));
    add(objects, "set",
        json_pack("{s:s, s:s, s:[s], s:o}", "name", "inside", "type", "ipv4_addr", "flags", "interval",
                  "elem", inside));
    add_chain(objects, CHAIN, "nat", "postrouting", PRIORITY_MASQUERADE);
    add(objects, "rule",
        json_pack("{s:s, s:[o, o, {s:n}]}", "chain", CHAIN, "expr",
                  match("==", field("ip", "saddr"), range_json(own)),
                  match("!=", field("ip", "daddr"), json_string("@inside")), "masquerade"));
    return 0;
}

static bool is_id(const char *id)
{
    size_t n = id ? strspn(id, "0123456789abcdef") : 0;
    return n > 0 && n <= ID_MAX && !id[n];
}

static void add_counter(json_t *objects, json_t *elements, const struct net_host *host, const char *direction,
                        int64_t packets, int64_t bytes)
{
    char name[COUNTER_SIZE];
    (void)snprintf(name, sizeof name, "%s_%s", direction, host->id);
    add(objects, "counter",
        json_pack("{s:s, s:I, s:I}", "name", name, "packets", (json_int_t)packets, "bytes",
                  (json_int_t)bytes));
    json_array_append_new(elements, json_pack("[s, s]", host->peer, name));
}

/* Adds a map from the machines' addresses to counters, and the chain that counts by it. The machines are
 * known by the outer header: this needs one look-up by hash for each packet of the device, and none for what
 * the containers send elsewhere. */
static void add_counting(json_t *objects, const char *direction, const char *hook, const char *address,
                         json_t *elements)
{
    json_t *members = json_pack("{s:s, s:s, s:s}", "name", direction, "type", "ipv4_addr", "map", "counter");
    if (json_array_size(elements) > 0) /* an empty list is refused */
        json_object_set(members, "elem", elements);
    _cleanup_free_ char *map = xasprintf("@%s", direction);
    add(objects, "map", members);
    add_chain(objects, direction, "filter", hook, PRIORITY_COUNT);
    /* The network's id is in the 24 bits after 8 bytes of UDP and 4 of VXLAN. */
    json_t *id = json_pack("{s:{s:s, s:i, s:i}}", "payload", "base", "th", "offset", 96, "len", 24);
    json_t *counter =
        json_pack("{s:{s:{s:o, s:s}}}", "counter", "map", "key", field("ip", address), "data", map);
    add(objects, "rule",
        json_pack("{s:s, s:[o, o, o]}", "chain", direction, "expr",
                  match("==", field("udp", "dport"), json_integer(VXLAN_PORT)),
                  match("==", id, json_integer(VXLAN_ID)), counter));
}

static bool is_peer(const struct net_network *n, size_t i)
{
    const struct net_host *host = n->hosts[i];
    uint32_t address;
    if (!is_id(host->id) || !ipv4_parse(host->peer, &address) || streq_null(host->id, n->host_id) ||
        streq_null(host->peer, n->lan_addr))
        return false;
    for (size_t j = 0; j < i; j++)
        if (streq_null(n->hosts[j]->id, host->id) || streq_null(n->hosts[j]->peer, host->peer))
            return false;
    return true;
}

int nft_table_build(const struct net_network *network, const struct traffic *known, json_t **ret,
                    struct error *e)
{
    static const struct traffic_item none = {0};
    _cleanup_json_ json_t *objects = json_array(), *sent = json_array(), *received = json_array();
    add(objects, "table", json_pack("{s:s}", "name", NFT_TABLE));
    int r = add_masquerade(objects, network, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < network->n_hosts; i++) {
        const struct net_host *host = network->hosts[i];
        if (!is_peer(network, i))
            continue;
        const struct traffic_item *t = traffic_find(known, host->id) ?: &none;
        add_counter(objects, sent, host, "sent", t->sent_packets, t->sent_bytes);
        add_counter(objects, received, host, "received", t->received_packets, t->received_bytes);
    }
    add_counting(objects, "sent", "output", "daddr", sent);
    add_counting(objects, "received", "input", "saddr", received);
    *ret = TAKE_PTR(objects);
    return 0;
}

/* --- documents --- */

static json_t *command(const char *verb, json_t *object)
{
    return json_pack("{s:o}", verb, object);
}

static json_t *table_name(void)
{
    return json_pack("{s:{s:s, s:s}}", "table", "family", "ip", "name", NFT_TABLE);
}

/* Takes ownership of 'commands'. */
static char *document(json_t *commands)
{
    _cleanup_json_ json_t *all = json_pack("{s:o}", "nftables", commands);
    return json_dumps(all, JSON_COMPACT);
}

char *nft_table_replacement(const json_t *objects)
{
    size_t i;
    json_t *object;
    /* The table is deleted, which it can only be if it exists. */
    json_t *commands = json_pack("[o, o]", command("add", table_name()), command("delete", table_name()));
    json_array_foreach((json_t *)objects, i, object)
        json_array_append_new(commands, command("add", json_incref(object)));
    return document(commands);
}

char *nft_table_removal(void)
{
    return document(json_pack("[o, o]", command("add", table_name()), command("delete", table_name())));
}

char *nft_table_list(void)
{
    return document(json_pack("[o]", command("list", table_name())));
}

/* --- comparison --- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns texts sorted, one a line, and frees them. */
static char *sorted_lines(char **texts, size_t n)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += strlen(texts[i]) + 1;
    if (n > 0)
        qsort(texts, n, sizeof *texts, compare_texts);
    char *text = xcalloc(size, 1), *end = text;
    for (size_t i = 0; i < n; i++) {
        end = stpcpy(stpcpy(end, texts[i]), "\n");
        free(texts[i]);
    }
    free(texts);
    return text;
}

/* Returns the text of a value of JSON, in which the order of members is always the same. */
static char *text_of(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) ?: xstrdup("");
}

static char *elements_text(const json_t *elements)
{
    size_t n = json_array_size(elements);
    char **texts = xcalloc(n + 1, sizeof *texts);
    for (size_t i = 0; i < n; i++)
        texts[i] = text_of(json_array_get(elements, i));
    return sorted_lines(texts, n);
}

/* Returns the text in which an object is compared. Of a counter, only the name matters. nft prints a flag
 * that is alone as a string or as an array, by its version. */
static char *object_text(const char *kind, json_t *members)
{
    const char *name = json_string_value(json_object_get(members, "name"));
    if (streq(kind, "counter"))
        return xasprintf("counter %s", name ?: "");
    _cleanup_json_ json_t *simple = json_copy(members);
    json_t *flags = json_object_get(simple, "flags"), *elements = json_object_get(simple, "elem");
    json_object_del(simple, "handle");
    if (json_array_size(flags) == 1)
        json_object_set(simple, "flags", json_array_get(flags, 0));
    if (elements) {
        _cleanup_free_ char *lines = elements_text(elements);
        json_object_set_new(simple, "elem", json_string(lines));
    }
    _cleanup_free_ char *text = text_of(simple);
    return xasprintf("%s %s", kind, text);
}

char *nft_table_canonical(const json_t *objects)
{
    size_t n = 0, i;
    json_t *object, *members;
    const char *kind;
    char **texts = xcalloc(json_array_size(objects) + 1, sizeof *texts);
    json_array_foreach((json_t *)objects, i, object)
    {
        void *first = json_object_iter(object); /* each object has one member, its kind */
        kind = first ? json_object_iter_key(first) : "";
        members = json_object_iter_value(first);
        if (json_is_object(members) && !streq(kind, "metainfo"))
            texts[n++] = object_text(kind, members);
    }
    return sorted_lines(texts, n);
}

/* --- counters --- */

static int64_t number(const json_t *members, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(members, name));
}

void nft_table_read_traffic(const json_t *listing, struct traffic *t)
{
    size_t i;
    json_t *object;
    json_array_foreach((json_t *)listing, i, object)
    {
        const json_t *members = json_object_get(object, "counter");
        const char *name = json_string_value(json_object_get(members, "name")) ?: "", *id;
        int64_t packets = number(members, "packets"), bytes = number(members, "bytes");
        if ((id = after_prefix(name, "sent_")) && is_id(id)) {
            struct traffic_item *item = item_made(t, id);
            item->sent_packets = packets;
            item->sent_bytes = bytes;
        } else if ((id = after_prefix(name, "received_")) && is_id(id)) {
            struct traffic_item *item = item_made(t, id);
            item->received_packets = packets;
            item->received_bytes = bytes;
        }
    }
}
