/* Implements message.h. */
#include "lib/grpc/message.h"

#include <errno.h>

#include "lib/grpc/wire.h"

/* Bytes of memory that protobuf-c 1.4 needs besides the contents. */
enum {
    COST_ALLOCATION = 16, /* overhead of malloc() */
    COST_MEMBER = 80,     /* a field during parsing: 40 bytes in slabs that double */
    COST_UNKNOWN = 48,    /* a stored field that the descriptor does not contain */
};
enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2, WIRE_32BIT = 5 };
#define FIELDS_MAX 256

struct scan {
    size_t memory, memory_max;
    bool mend; /* replaces invalid text instead of refusing it; only for bytes that this process has packed */
    struct error *e;
};

/* One field of the raw message. */
struct member {
    uint32_t number;
    unsigned wire;
    uint8_t *value; /* for a field with a length: after the length */
    size_t size;    /* of the value */
    size_t all;     /* with tag and length */
};

static bool read_varint(const uint8_t *data, size_t size, size_t *at, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && *at < size; shift += 7) {
        uint8_t byte = data[(*at)++];
        if (shift == 63 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool read_member(uint8_t *data, size_t size, size_t *at, struct member *ret)
{
    size_t begin = *at;
    uint64_t tag, n;
    if (!read_varint(data, size, at, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return false;
    *ret = (struct member){.number = (uint32_t)(tag >> 3), .wire = tag & 7};
    size_t value = *at;
    switch (ret->wire) {
    case WIRE_VARINT:
        if (!read_varint(data, size, at, &n))
            return false;
        n = *at - value;
        break;
    case WIRE_64BIT:
        n = 8;
        break;
    case WIRE_LENGTH:
        if (!read_varint(data, size, at, &n))
            return false;
        value = *at;
        break;
    case WIRE_32BIT:
        n = 4;
        break;
    default:
        return false;
    }
    if (n > size - value)
        return false;
    ret->value = data + value;
    ret->size = n;
    *at = value + n;
    ret->all = *at - begin;
    return true;
}

static int refuse(struct scan *s, const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f,
                  const char *what)
{
    return error_refuse(s->e, EBADMSG, "%s%s%s: %s", d->name, f ? "." : "", f ? f->name : "", what);
}

static int spend(struct scan *s, const ProtobufCMessageDescriptor *d, size_t bytes)
{
    s->memory += bytes;
    return s->memory <= s->memory_max
               ? 0
               : error_refuse(s->e, EMSGSIZE, "%s: would take more than %zu KiB of memory", d->name,
                              s->memory_max >> 10);
}

static unsigned wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LENGTH;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_64BIT;
    default:
        return WIRE_VARINT;
    }
}

/* Scans numbers that are packed into one field: each is at least one byte and becomes up to eight. */
static int scan_packed(struct scan *s, const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f,
                       const struct member *m)
{
    unsigned wire = wire_of(f->type);
    size_t width = wire == WIRE_32BIT ? 4 : wire == WIRE_64BIT ? 8 : 1;
    uint64_t v;
    if (m->size % width != 0)
        return refuse(s, d, f, "packed numbers are cut off");
    for (size_t at = 0; wire == WIRE_VARINT && at < m->size;)
        if (!read_varint(m->value, m->size, &at, &v))
            return refuse(s, d, f, "packed numbers are malformed");
    return spend(s, d, m->size / width * 8);
}

static int scan_message(struct scan *s, const ProtobufCMessageDescriptor *d, uint8_t *data, size_t size,
                        unsigned depth);

static int scan_member(struct scan *s, const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f,
                       const struct member *m, unsigned depth)
{
    unsigned wire = wire_of(f->type);
    if (f->label == PROTOBUF_C_LABEL_REPEATED && wire != WIRE_LENGTH && m->wire == WIRE_LENGTH)
        return scan_packed(s, d, f, m);
    if (m->wire != wire)
        return refuse(s, d, f, "is of another type");
    int r = f->label == PROTOBUF_C_LABEL_REPEATED ? spend(s, d, 8) : 0;
    if (r < 0)
        return r;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!utf8_check(m->value, m->size, s->mend) && !s->mend)
            return refuse(s, d, f, "is no UTF-8 text");
        /* fall through */
    case PROTOBUF_C_TYPE_BYTES:
        return spend(s, d, m->size + 1 + COST_ALLOCATION);
    case PROTOBUF_C_TYPE_MESSAGE:
        return scan_message(s, f->descriptor, m->value, m->size, depth + 1);
    default:
        return 0;
    }
}

static int scan_message(struct scan *s, const ProtobufCMessageDescriptor *d, uint8_t *data, size_t size,
                        unsigned depth)
{
    uint64_t seen[FIELDS_MAX / 64] = {0};
    if (depth > GRPC_DEPTH_MAX)
        return refuse(s, d, NULL, "is nested too deeply");
    if (d->n_fields > FIELDS_MAX)
        /* Only a message type of hostlet's own can have so many fields. */
        abort();
    int r = spend(s, d, d->sizeof_message + COST_ALLOCATION);
    for (size_t at = 0; r >= 0 && at < size;) {
        struct member m;
        if (!read_member(data, size, &at, &m))
            return refuse(s, d, NULL, "is malformed");
        r = spend(s, d, COST_MEMBER);
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, m.number);
        if (r < 0)
            break;
        if (!f) {
            r = spend(s, d, m.all + COST_UNKNOWN + COST_ALLOCATION);
            continue;
        }
        size_t index = (size_t)(f - d->fields);
        uint64_t bit = UINT64_C(1) << index % 64;
        bool again = seen[index / 64] & bit;
        seen[index / 64] |= bit;
        /* The specification demands that the two are merged. No known client sends that, and merging is
         * rarely tested code in protobuf-c. */
        if (again && f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED)
            return refuse(s, d, f, "is given twice");
        if (!again && f->label == PROTOBUF_C_LABEL_REPEATED)
            r = spend(s, d, COST_ALLOCATION);
        if (r >= 0)
            r = scan_member(s, d, f, &m, depth);
    }
    return r;
}

int grpc_message_scan(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t size,
                      size_t memory_max, size_t *ret_memory, struct error *e)
{
    struct scan s = {.memory_max = memory_max, .e = e};
    /* Without 'mend' the scan does not write. */
    int r = scan_message(&s, d, (uint8_t *)data, size, 1);
    if (r >= 0 && ret_memory)
        *ret_memory = s.memory;
    return r;
}

int grpc_message_unpack(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t size,
                        size_t memory_max, ProtobufCMessage **ret, struct error *e)
{
    int r = grpc_message_scan(d, data, size, memory_max, NULL, e);
    if (r < 0)
        return r;
    ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, size, data);
    if (!m)
        return error_refuse(e, EBADMSG, "%s: is malformed", d->name);
    *ret = m;
    return 0;
}

void grpc_message_free(void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

uint8_t *grpc_message_pack(const ProtobufCMessage *m, size_t prefix, size_t *ret_size)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *data = xcalloc(prefix + size + 1, 1);
    protobuf_c_message_pack(m, data + prefix);
    struct scan s = {.memory_max = SIZE_MAX, .mend = true};
    scan_message(&s, m->descriptor, data + prefix, size, 1);
    *ret_size = prefix + size;
    return data;
}

bool grpc_message_next(const uint8_t *data, size_t size, uint32_t field, size_t *at, const uint8_t **ret,
                       size_t *ret_size)
{
    struct member m;
    while (*at < size && read_member((uint8_t *)data, size, at, &m))
        if (m.number == field && m.wire == WIRE_LENGTH) {
            *ret = m.value;
            *ret_size = m.size;
            return true;
        }
    return false;
}

uint64_t grpc_message_number(const uint8_t *data, size_t size, uint32_t field)
{
    struct member m;
    uint64_t last = 0;
    for (size_t at = 0; at < size && read_member((uint8_t *)data, size, &at, &m);) {
        size_t begin = 0;
        if (m.number == field && m.wire == WIRE_VARINT)
            (void)read_varint(m.value, m.size, &begin, &last);
    }
    return last;
}

bool grpc_message_is_whole(const uint8_t *data, size_t size)
{
    struct member m;
    size_t at = 0;
    while (at < size)
        if (!read_member((uint8_t *)data, size, &at, &m))
            return false;
    return true;
}
