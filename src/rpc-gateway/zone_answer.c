/* Implements zone_answer.h. */
#include "rpc-gateway/zone_answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/message.h"
#include "lib/grpc/wire.h"
#include "lib/inapi/app.pb-c.h"
#include "lib/inapi/convert.h"
#include "lib/schema/object.h"
#include "lib/zone/check.h"

#define INSTANCE_MEMORY_MAX ((size_t)32 << 20)

enum { FIELD_INSTANCES = 2, FIELD_VPC_BRIDGE_IP = 3, FIELD_VPC_INSTANCE_CIDR = 4, FIELD_MAP = 6 };
enum { FIELD_META = 1, FIELD_NAME = 2 }; /* fields of AppInstance and Metadata */

bool zone_network_holds(const char *network, const char *host)
{
    struct in_addr first, address;
    int64_t bits;
    const char *slash = strchr(network, '/');
    _cleanup_free_ char *base = slash ? xstrndup(network, (size_t)(slash - network)) : NULL,
                        *bare = xstrndup(host, strcspn(host, ":"));
    if (!base || inet_pton(AF_INET, base, &first) != 1 || parse_int64(slash + 1, 1, 32, &bits) < 0 ||
        inet_pton(AF_INET, bare, &address) != 1)
        return false;
    return (ntohl(first.s_addr) ^ ntohl(address.s_addr)) >> (32 - bits) == 0;
}

/* Returns the last value of a field if it is valid, else NULL. */
static char *text_field(const uint8_t *data, size_t size, uint32_t field, bool (*is_good)(const char *text))
{
    const uint8_t *value;
    size_t n, at = 0;
    char *last = NULL;
    while (grpc_message_next(data, size, field, &at, &value, &n)) {
        free(last);
        last = xstrndup((const char *)value, n);
    }
    if (last && is_good(last))
        return last;
    free(last);
    return NULL;
}

void zone_answer_read(const uint8_t *data, size_t size, struct zone_answer *ret)
{
    size_t at = 0;
    *ret = (struct zone_answer){
        .vpc_bridge_ip = text_field(data, size, FIELD_VPC_BRIDGE_IP, zone_is_address),
        .vpc_instance_cidr = text_field(data, size, FIELD_VPC_INSTANCE_CIDR, zone_is_network),
        .n_instances = zone_answer_count(data, size),
    };
    while (grpc_message_next(data, size, FIELD_MAP, &at, &ret->map, &ret->map_size))
        ; /* the last one counts */
}

void zone_answer_done(struct zone_answer *answer)
{
    free(answer->vpc_bridge_ip);
    free(answer->vpc_instance_cidr);
}

int zone_answer_instance(const uint8_t *data, size_t size, struct app_instance *ret, struct error *e)
{
    ProtobufCMessage *m = NULL;
    int r = grpc_message_unpack(&inapi__app_instance__descriptor, data, size, INSTANCE_MEMORY_MAX, &m, e);
    if (r >= 0)
        r = inapi_to_struct(&app_instance_schema, m, ret, e);
    grpc_message_free(m);
    if (r < 0)
        return r;
    if (!ret->meta || !ret->meta->name) {
        schema_done(&app_instance_schema, ret);
        return error_refuse(e, EBADMSG, "has no name");
    }
    inapi_drop_echo(ret);
    return 0;
}

bool zone_answer_next(const uint8_t *data, size_t size, size_t *at, const uint8_t **ret, size_t *ret_size)
{
    return data && grpc_message_next(data, size, FIELD_INSTANCES, at, ret, ret_size);
}

size_t zone_answer_count(const uint8_t *data, size_t size)
{
    const uint8_t *one;
    size_t one_size, at = 0, n = 0;
    while (zone_answer_next(data, size, &at, &one, &one_size))
        n++;
    return n;
}

char *zone_answer_name(const uint8_t *data, size_t size, size_t max)
{
    const uint8_t *meta = NULL, *name = NULL;
    size_t meta_size = 0, name_size = 0, at = 0;
    bool named = grpc_message_next(data, size, FIELD_META, &at, &meta, &meta_size);
    at = 0;
    named = named && grpc_message_next(meta, meta_size, FIELD_NAME, &at, &name, &name_size);
    if (!named || name_size == 0 || name_size > max || !utf8_check((uint8_t *)name, name_size, false))
        return NULL;
    return xstrndup((const char *)name, name_size);
}
