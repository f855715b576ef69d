/* Fuzzes the processing of the zone's messages: frames in pieces of any size, the scan, unpacking,
 * conversion, and back. The first byte selects the message. */
#include <arpa/inet.h>

#include "fuzz.h"
#include "lib/grpc/frames.h"
#include "lib/grpc/message.h"
#include "lib/inapi/convert.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/schema/object.h"
#include "rpc-gateway/zone_answer.h"
#include "rpc-gateway/zone_map.h"

#define MEMORY_MAX ((size_t)8 << 20)

static size_t used, peak;

static void *count_alloc(void *userdata, size_t size)
{
    (void)userdata;
    size_t *p = malloc(size + 16);
    must(p);
    *p = size;
    used += size + 16;
    peak = used > peak ? used : peak;
    return (char *)p + 16;
}

static void count_free(void *userdata, void *pointer)
{
    (void)userdata;
    if (!pointer)
        return;
    size_t *p = (size_t *)((char *)pointer - 16);
    used -= *p + 16;
    free(p);
}

static void convert(const ProtobufCMessage *m)
{
    struct app_instance app = {.meta = NULL}, again = {.meta = NULL};
    struct error e = ERROR_INIT;
    size_t size = 0;
    if (m->descriptor != &inapi__app_instance__descriptor)
        return;
    if (inapi_to_struct(&app_instance_schema, m, &app, &e) < 0) {
        must(*e.message && !app.meta && !app.spec);
        return;
    }
    ProtobufCMessage *back = inapi_from_struct(&app_instance_schema, m->descriptor, &app);
    uint8_t *packed = grpc_message_pack(back, 0, &size);
    ProtobufCMessage *unpacked = NULL;
    must(grpc_message_unpack(m->descriptor, packed, size, SIZE_MAX, &unpacked, &e) == 0);
    must(inapi_to_struct(&app_instance_schema, unpacked, &again, &e) == 0);
    must(schema_equal(&app_instance_schema, &app, &again));
    inapi_drop_echo(&app);
    schema_done(&app_instance_schema, &app);
    schema_done(&app_instance_schema, &again);
    grpc_message_free(back);
    grpc_message_free(unpacked);
    free(packed);
}

static void take(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t size)
{
    struct error e = ERROR_INIT;
    size_t memory = 0;
    ProtobufCAllocator counting = {count_alloc, count_free, NULL};
    if (grpc_message_scan(d, data, size, MEMORY_MAX, &memory, &e) < 0) {
        must(*e.message);
        return;
    }
    used = peak = 0;
    ProtobufCMessage *m = protobuf_c_message_unpack(d, &counting, size, data);
    must(peak <= memory);
    if (!m)
        return;
    convert(m);
    protobuf_c_message_free_unpacked(m, &counting);
    must(used == 0);
}

struct messages {
    const ProtobufCMessageDescriptor *descriptor;
    size_t n, bytes;
};

static int on_message(uint8_t *data, size_t size, size_t room, void *userdata)
{
    struct messages *m = userdata;
    must(room >= size && data);
    m->n++;
    m->bytes += size;
    if (m->descriptor)
        take(m->descriptor, data, size);
    free(data);
    return 0;
}

static int feed(const uint8_t *data, size_t size, size_t step, struct messages *m)
{
    struct grpc_frames f = {.message_max = 1 << 20};
    struct error e = ERROR_INIT;
    int r = 0;
    for (size_t at = 0; at < size && r >= 0; at += step)
        r = grpc_frames_feed(&f, data + at, size - at < step ? size - at : step, on_message, m, &e);
    must(r >= 0 || *e.message);
    grpc_frames_done(&f);
    return r;
}

/* Checks that a network has only what net-keeper accepts, in the order of the addresses, and not the zone
 * host's. */
static void look_at_map(const struct zone_map *map)
{
    const struct net_network *n = &map->network;
    must(n->n_hosts <= NET_HOSTS_MAX && n->n_records <= NET_RECORDS_MAX);
    must(!n->domain || strlen(n->domain) <= 253);
    struct in_addr address, peer, before = {0};
    for (size_t i = 0; i < n->n_hosts; i++) {
        must(inet_pton(AF_INET, n->hosts[i]->bridge, &address) == 1);
        must(i == 0 || ntohl(address.s_addr) > ntohl(before.s_addr));
        must(inet_pton(AF_INET, n->hosts[i]->peer, &peer) == 1);
        must(strcmp(n->hosts[i]->instance, "10.10.4.0/24") != 0 && strlen(n->hosts[i]->id) >= 12);
        before = address;
    }
    for (size_t i = 0; i < n->n_records; i++)
        must(inet_pton(AF_INET, n->records[i]->address, &address) == 1 && *n->records[i]->name &&
             !strpbrk(n->records[i]->name, "\"\\\n ="));
}

/* Checks what is read without unpacking: there are never more instances than fields, and every value is
 * valid. */
static void look(const uint8_t *data, size_t size)
{
    struct zone_answer answer;
    zone_answer_read(data, size, &answer);
    must(answer.n_instances <= size / 2);
    must(!answer.vpc_bridge_ip || strlen(answer.vpc_bridge_ip) <= 15);
    struct zone_map map;
    struct error e = ERROR_INIT;
    char host[] = "10.10.4.9:9533", *hosts[] = {host};
    if (zone_map_read(answer.map, answer.map_size, hosts, 1, &map, &e) >= 0) {
        look_at_map(&map);
        zone_map_done(&map);
    } else {
        must(*e.message);
    }
    zone_answer_done(&answer);
    (void)grpc_message_is_whole(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const descriptors[] = {
        &inapi__host_status_update_response__descriptor, &inapi__app_instance__descriptor,
        &inapi__package_list_response__descriptor,       &inapi__package_chunk_response__descriptor,
        &inapi__host_init_request__descriptor,           &inapi__zone_network_map__descriptor,
    };
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *d = descriptors[data[0] % (sizeof descriptors / sizeof *descriptors)];
    take(d, data + 1, size - 1);
    look(data + 1, size - 1);
    struct messages whole = {d, 0, 0}, bytes = {NULL, 0, 0};
    must(feed(data + 1, size - 1, size, &whole) == feed(data + 1, size - 1, 1, &bytes));
    must(whole.n == bytes.n && whole.bytes == bytes.bytes);
    return 0;
}
